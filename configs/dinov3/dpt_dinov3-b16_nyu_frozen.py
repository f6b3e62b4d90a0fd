# The encoder is frozen. Rates, length, batch and crop as DINOv3's linear probe
# (facebookresearch/dinov3@6876159, eval/depth/configs/config-nyu.yaml): AdamW 3e-4, 2 images on
# each of 8 GPUs, warm-up over a third, cosine. Ours: the DPT head, on four taps, in place of 256
# bins from a linear layer on the last one; a constant beta1; mmseg's colours.
_base_ = './dpt_dinov3-b16_nyu.py'
max_iters = 38400
model = dict(backbone=dict(frozen_stages=12))
optim_wrapper = dict(
    optimizer=dict(lr=3e-4, betas=(0.9, 0.99), weight_decay=1e-4),
    paramwise_cfg=dict(_delete_=True),
    clip_grad=dict(max_norm=35),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=12800),
    dict(type='CosineAnnealingLR', eta_min=1.2e-8, by_epoch=False, begin=0, end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=1600)
