# Rooms and streets rendered by tools/dataset_converters/scenes.py, 12 classes, 320 x 240 px, seen
# whole at half that size.
_base_ = './segmentation.py'
dataset_type = 'ScenesDataset'
data_root = 'data/scenes'
image_size = (160, 120)
crop_size = (120, 160)
train_pipeline = [
    step
    for step in _base_.train_pipeline
    if step.type not in ('RandomCrop', 'PhotoMetricDistortion')
]
train_pipeline[2] = dict(type='Resize', scale=image_size)
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = image_size
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
