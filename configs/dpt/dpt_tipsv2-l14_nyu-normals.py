_base_ = ['./dpt_tipsv2-b14_nyu-normals.py', '../_base_/models/tipsv2-l14.py']
model = _base_.larger
