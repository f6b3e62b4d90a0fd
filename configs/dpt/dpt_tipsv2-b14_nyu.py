_base_ = [
    '../_base_/models/dpt_tipsv2-b14_depth.py',
    '../_base_/datasets/nyu-depth.py',
    '../_base_/schedules/depth_adamw_24e.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.crop_size))
# the released models squeeze images to this square
test_pipeline = _base_.test_pipeline
test_pipeline[2] = dict(type='ResizeDepth', scale=448, method='exact', image_only=True)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
