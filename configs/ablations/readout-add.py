# The readout token is added to every other token (arXiv:2103.13413, section 4.3).
_base_ = '../dpt/dpt_vit-ti16_scenes-depth.py'
model = dict(decode_head=dict(readout_type='add'))
