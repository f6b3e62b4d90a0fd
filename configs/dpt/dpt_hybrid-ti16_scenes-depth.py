# make demo starts it from the weights of dpt_hybrid-ti16_scenes.
_base_ = [
    '../_base_/models/dpt_hybrid-ti16_depth.py',
    '../_base_/datasets/scenes-depth.py',
    '../_base_/schedules/scratch_short.py',
    '../_base_/default_runtime.py',
]
max_iters = 1400
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(img_size=_base_.crop_size),
    decode_head=dict(
        # the paper has none for depth; from scratch, in minutes, the decoder needs it
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        max_depth=65.0,
        clamp=(0.1, 65.0),
        loss_decode=dict(variance_weight=0.0),
    ),
    test_cfg=dict(flip=True),
)
train_dataloader = dict(batch_size=8, num_workers=2)
val_dataloader = dict(num_workers=2)
test_dataloader = val_dataloader
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 2)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=max_iters))
