_base_ = ['./dpt_vit-ti16_scenes.py', '../_base_/models/dpt_hybrid-ti16.py']
max_iters = 450
model = dict(backbone=_base_.hybrid_encoder, decode_head=_base_.hybrid_taps)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 3)
default_hooks = dict(checkpoint=dict(interval=max_iters))
