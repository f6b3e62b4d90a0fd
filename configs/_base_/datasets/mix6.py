# The sets of MIX6 (arXiv:2103.13413, section 4.1) that can be downloaded with ground truth, as
# tools/dataset_converters/mix.py lists them; an equal share each, as there. Longer side to 384 px,
# 384 px crops, horizontal flip: the paper's words, by which a quarter of the crop of a 4:3 image is
# padding. Watched on NYU, which is in none of them.
_base_ = './depth.py'
data_root = 'data/mix6'
crop_size = (384, 384)
train_pipeline = _base_.train_pipeline
train_pipeline[1].update(median_range=None, allow_empty=True)
train_pipeline[2].update(scale=384, method='upper_bound', multiple=1)
train_pipeline[3].crop_size = crop_size
test_pipeline = _base_.test_pipeline
test_pipeline[2].update(scale=384, method='minimal', multiple=32)
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
                *('redweb', 'hrwsi', 'blendedmvs', 'megadepth', 'tartanair', 'apolloscape'),
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
