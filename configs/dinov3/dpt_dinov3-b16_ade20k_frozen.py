# The encoder is frozen. Rates, length, batch and windows as DINOv3's linear probe
# (facebookresearch/dinov3@6876159, eval/segmentation/configs/config-ade20k-linear-training.yaml):
# AdamW 1e-3, 2 images on each of 8 GPUs, warm-up, cosine. Ours: the DPT head, on four taps, in
# place of a linear layer on the last one, and no auxiliary loss.
_base_ = './dpt_dinov3-b16_ade20k.py'
max_iters = 40000
model = dict(
    backbone=dict(frozen_stages=12),
    decode_head=dict(auxiliary_weight=0),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-3),
    paramwise_cfg=dict(_delete_=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='CosineAnnealingLR', eta_min=0.0, by_epoch=False, begin=0, end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=5000)
