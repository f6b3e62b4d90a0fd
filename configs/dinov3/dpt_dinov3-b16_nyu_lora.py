# Ours: rank 8, everything that trains at 1e-4.
_base_ = './dpt_dinov3-b16_nyu.py'
model = dict(backbone=dict(lora=dict(rank=8)))
optim_wrapper = dict(
    optimizer=dict(lr=1e-4), paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0)
)
