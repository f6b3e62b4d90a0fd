# Rooms and streets rendered by tools/dataset_converters/scenes.py, exact depth to 65.5 m,
# 320 x 240 px, seen whole at half that size.
_base_ = './nyu-depth.py'
data_root = 'data/scenes/nyu'
image_size = (160, 120)
crop_size = (120, 160)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadDepth'),
    dict(type='ResizeDepth', scale=image_size, multiple=8),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackDepthInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadDepth', allow_empty=True),
    dict(type='ResizeDepth', scale=image_size, multiple=8, image_only=True),
    dict(type='PackDepthInputs'),
]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='DepthMetric', min_depth=0.1, max_depth=65.0)
test_evaluator = val_evaluator
