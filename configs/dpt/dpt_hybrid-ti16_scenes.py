_base_ = [
    '../_base_/models/dpt_hybrid-ti16_seg.py',
    '../_base_/datasets/scenes.py',
    '../_base_/schedules/scratch_short.py',
    '../_base_/default_runtime.py',
]
max_iters = 450
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(img_size=_base_.crop_size),
    decode_head=dict(num_classes=12),
)
train_dataloader = dict(batch_size=8, num_workers=2)
val_dataloader = dict(num_workers=2)
test_dataloader = val_dataloader
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 3)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=max_iters))
