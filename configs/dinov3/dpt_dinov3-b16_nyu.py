# Ours: the whole model at the rates of dpt_vit-b16_nyu.
_base_ = [
    '../_base_/models/dpt_timm_depth.py',
    '../_base_/datasets/nyu-depth.py',
    '../_base_/schedules/depth_adamw_24e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(model_name='vit_base_patch16_dinov3_qkvb.lvd1689m', norm_taps=True),
    decode_head=dict(max_depth=10.0),
)
