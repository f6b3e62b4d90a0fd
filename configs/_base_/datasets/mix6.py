# The sets of MIX6 (arXiv:2103.13413, section 4.1) that can be downloaded with ground truth, as
# tools/dataset_converters/mix.py lists them; an equal share each. Longer side to 384 px, 384 px
# crops, horizontal flip. Watched on NYU, which is in none of them.
_base_ = './loaders.py'
data_root = 'data/mix6'
crop_size = (384, 384)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadDepth', median_range=None, allow_empty=True),
    dict(type='ResizeDepth', scale=384, method='upper_bound', multiple=1),
    dict(type='RandomCropDepth', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDepthInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadDepth', allow_empty=True),
    dict(type='ResizeDepth', scale=384, method='minimal', multiple=32, image_only=True),
    dict(type='PackDepthInputs'),
]
train_dataloader = dict(
    sampler=dict(_delete_=True, type='BalancedSampler'),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type='DepthListDataset',
                data_root=f'{data_root}/{name}',
                ann_file='list.csv',
                pipeline=train_pipeline,
            )
            for name in (
                'redweb',
                'hrwsi',
                'blendedmvs',
                'megadepth',
                'tartanair',
                'apolloscape',
                'irs',
            )
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        type='NYUDepthDataset',
        data_root='data/nyu',
        data_prefix=dict(img_path='images/test', depth_map_path='annotations/test'),
        pipeline=test_pipeline,
        test_mode=True,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', max_depth=10.0, crop='nyu', alignment='lstsq')
test_evaluator = val_evaluator
