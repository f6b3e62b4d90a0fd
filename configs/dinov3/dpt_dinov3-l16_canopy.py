# CHMv2, heights of trees from above [m]: network as transformers' models/chmv2 (5.23) and
# facebookresearch/dinov3@6876159. Ours: your own list file (docs/fine-tuning.md) of heights.
_base_ = [
    '../_base_/models/dpt_timm_depth.py',
    '../_base_/datasets/nyu-depth.py',
    '../_base_/schedules/depth_adamw_24e.py',
    '../_base_/default_runtime.py',
]
crop_size = (416, 416)
model = dict(
    data_preprocessor=dict(
        size=crop_size, mean=[107.1, 104.805, 75.48], std=[54.315, 39.78, 36.465]
    ),
    backbone=dict(
        model_name='vit_large_patch16_dinov3_qkvb.sat493m',
        out_indices=(5, 11, 17, 23),
        norm_taps=True,
    ),
    decode_head=dict(
        resized='skip',
        hidden_channels=128,
        bins=dict(low=0.008, high=96.0, spacing='mixed-log', epsilon=1e-8),
    ),
)
mine = dict(_delete_=True, type='DepthListDataset', data_root='data/mine')
train_pipeline = [step for step in _base_.train_pipeline if step.type != 'NYUCrop']
for step in train_pipeline:
    if step.type == 'RandomCropDepth':
        step.crop_size = crop_size
test_pipeline = [step for step in _base_.test_pipeline if step.type != 'ResizeDepth']
train_dataloader = dict(dataset=dict(**mine, ann_file='train.csv', pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(**mine, ann_file='val.csv', pipeline=test_pipeline, test_mode=True)
)
test_dataloader = val_dataloader
val_evaluator = dict(max_depth=96.0, crop=None)
test_evaluator = val_evaluator
