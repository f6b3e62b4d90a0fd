_base_ = [
    '../_base_/models/dpt_vit-ti16_depth.py',
    '../_base_/datasets/indoor-depth.py',
    '../_base_/schedules/scratch_short.py',
    '../_base_/default_runtime.py',
]
max_iters = 2400
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(img_size=_base_.crop_size, drop_path_rate=0.1),
    decode_head=dict(
        max_depth=10.0,
        clamp=(0.1, 10.0),
        loss_decode=[dict(type='SiLogLoss'), dict(type='AbsRelLoss')],
    ),
    test_cfg=dict(flip=True),
)
train_dataloader = dict(batch_size=8, num_workers=2)
val_dataloader = dict(num_workers=2)
test_dataloader = val_dataloader
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=max_iters))
