# Rooms and streets rendered by tools/dataset_converters/scenes.py: of eight training images four
# have labels and depth, two labels, two depth. 320 x 240 px, seen whole at half that size.
_base_ = './loaders.py'
dataset_type = 'ScenesDataset'
data_root = 'data/scenes'
image_size = (160, 120)
crop_size = (120, 160)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='LoadDepth'),
    dict(type='Resize', scale=image_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackDepthInputs'),
]
labels_pipeline = [step for step in train_pipeline if step['type'] != 'LoadDepth']
depth_pipeline = [step for step in train_pipeline if step['type'] != 'LoadAnnotations']
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_size, keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='LoadDepth', allow_empty=True),
    dict(type='PackDepthInputs'),
]
every_label = dict(
    type=dataset_type,
    data_root=data_root,
    data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
    with_depth=True,
    pipeline=train_pipeline,
)
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(**every_label, indices=[index for index in range(960) if index % 8 < 4]),
            dict(
                type=dataset_type,
                data_root=data_root,
                data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
                indices=[index for index in range(960) if index % 8 in (4, 5)],
                pipeline=labels_pipeline,
            ),
            dict(
                type=dataset_type,
                data_root=data_root,
                data_prefix=dict(img_path='images/training'),
                with_depth=True,
                indices=[index for index in range(960) if index % 8 > 5],
                pipeline=depth_pipeline,
            ),
        ],
    ),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        with_depth=True,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='DepthMetric', min_depth=0.1, max_depth=65.0, boundaries=('depth_pro',)),
]
test_evaluator = val_evaluator
