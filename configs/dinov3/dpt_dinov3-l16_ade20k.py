# Ours: the whole model at mmseg's rates for DPT.
_base_ = [
    '../_base_/models/dpt_timm_seg.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/seg_adamw_160k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(model_name='vit_large_patch16_dinov3_qkvb.lvd1689m', norm_taps=True),
)
