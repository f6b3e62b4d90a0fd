_base_ = ['./dpt_tipsv2-b14_ade20k.py', '../_base_/models/tipsv2-l14.py']
model = _base_.larger
