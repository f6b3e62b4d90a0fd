_base_ = [
    '../_base_/models/depth-anything_vitb14.py',
    '../_base_/datasets/kitti-depth_518.py',
    '../_base_/schedules/depth_adamw_24e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(init_cfg=dict(checkpoint='depth-anything-v2-base')),
    decode_head=dict(max_depth=80.0),
)
optim_wrapper = dict(optimizer=dict(lr=5e-5))  # the encoder 5e-6, as metric_depth/train.py
