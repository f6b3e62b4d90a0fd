# Ours: your own list file (docs/fine-tuning.md), from the released indoor model, on one GPU.
# Outdoors: load_from='depth-anything-v2-small-vkitti', max_depth=80.0 of head and metric.
_base_ = './depth-anything_vits14_hypersim.py'
max_iters = 5000
model = dict(backbone=dict(init_cfg=None))
load_from = 'depth-anything-v2-small-hypersim'
mine = dict(_delete_=True, type='DepthListDataset', data_root='data/mine')
train_pipeline = [step for step in _base_.train_pipeline if step.type != 'NYUCrop']
test_pipeline = _base_.test_pipeline
train_dataloader = dict(
    batch_size=8, dataset=dict(**mine, ann_file='train.csv', pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(**mine, ann_file='val.csv', pipeline=test_pipeline, test_mode=True)
)
test_dataloader = val_dataloader
val_evaluator = dict(max_depth=20.0, crop=None)
test_evaluator = val_evaluator
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = param_scheduler[1].begin = 250
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=500)
