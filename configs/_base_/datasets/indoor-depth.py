# A kitchen (7-Scenes) and an office (3DMatch), 640 x 480 px, in mmseg's NYU layout; at about a
# third of that size, in crops, since a room seen whole is learnt by heart, and from nearer and
# farther than it was seen. At the least zoom, 121 of 168 rows, a crop still fits.
_base_ = './nyu-depth.py'
data_root = 'data/indoor_rgbd'
image_size = (224, 168)
crop_size = (120, 160)
train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(type='ResizeDepth', scale=image_size, multiple=8)
train_pipeline[3].degree = 5.0
train_pipeline[4:6] = [
    dict(type='RandomZoomDepth', scale=(0.72, 1.5)),
    dict(type='RandomCropDepth', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
]
test_pipeline = _base_.test_pipeline
test_pipeline[0].pop('to_float32')
test_pipeline[2].update(scale=image_size, multiple=8)
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='DepthMetric', images=f'{room}_*', prefix=room, min_depth=0.1, max_depth=10.0)
    for room in ('kitchen', 'office')
]
test_evaluator = val_evaluator
