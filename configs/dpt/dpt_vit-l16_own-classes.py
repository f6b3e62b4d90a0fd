# Ours: your own classes (docs/fine-tuning.md), from the released ADE20K model, on one GPU; both
# classifiers start anew.
_base_ = [
    '../_base_/models/dpt_vit-l16_seg.py',
    '../_base_/datasets/ade20k_480.py',
    '../_base_/schedules/seg_adamw_80k.py',
    '../_base_/default_runtime.py',
]
max_iters = 10000
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(init_cfg=None),
    decode_head=dict(num_classes=2),
)
load_from = 'dpt-large-ade20k'
metainfo = dict(classes=('background', 'object'), palette=[[0, 0, 0], [220, 40, 40]])
mine = dict(_delete_=True, type='SegDataset', data_root='data/mine', metainfo=metainfo)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        **mine,
        data_prefix=dict(img_path='images/train', seg_map_path='annotations/train'),
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        **mine,
        data_prefix=dict(img_path='images/val', seg_map_path='annotations/val'),
        pipeline=_base_.test_pipeline,
    )
)
test_dataloader = val_dataloader
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = param_scheduler[1].begin = 500
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=1000)
