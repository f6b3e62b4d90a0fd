# Taps of later blocks (arXiv:2103.13413, section 4.3), there counted from 1.
_base_ = '../dpt/dpt_vit-ti16_scenes-depth.py'
model = dict(backbone=dict(out_indices=(5, 7, 9, 11)))
