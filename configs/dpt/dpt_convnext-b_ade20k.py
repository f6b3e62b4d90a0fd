# Ours: a convolutional encoder of timm with maps at strides 4 to 32.
_base_ = [
    '../_base_/models/dpt_timm_seg.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/seg_adamw_160k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(model_name='convnext_base.fb_in22k_ft_in1k', drop_path_rate=0.4),
)
