_base_ = [
    '../_base_/models/dpt_vit-ti16_joint.py',
    '../_base_/datasets/scenes-joint.py',
    '../_base_/schedules/scratch_short.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(img_size=_base_.crop_size),
    decode_head=dict(num_classes=12),
    depth_head=dict(max_depth=65.0, clamp=(0.1, 65.0)),
)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=_base_.max_iters))
custom_hooks = [dict(type='ValidationPictureHook')]
