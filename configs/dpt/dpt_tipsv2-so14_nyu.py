_base_ = [
    '../_base_/models/dpt_tipsv2-so14_depth.py',
    '../_base_/datasets/nyu-depth_square448.py',
    '../_base_/schedules/depth_adamw_24e.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.crop_size))
