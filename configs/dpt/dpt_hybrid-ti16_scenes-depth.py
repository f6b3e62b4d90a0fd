# To start from the weights of dpt_hybrid-ti16_scenes: --cfg-options load_from=FILE.
_base_ = ['./dpt_vit-ti16_scenes-depth.py', '../_base_/models/dpt_hybrid-ti16.py']
max_iters = 1400
model = dict(
    backbone=_base_.hybrid_encoder,
    decode_head=_base_.hybrid_taps,
    test_cfg=dict(flip=True),
)
optim_wrapper = dict(optimizer=dict(lr=3.5e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 2)
default_hooks = dict(checkpoint=dict(interval=max_iters))
