# 161 images: those of Eigen's test split that are in the benchmark's validation set; cap 80 m
# (MiDaS, section 6). docs/zero-shot.md makes their list from BTS's, with the same count.
# 352 x 1216 px and no Garg crop, as the authors' script (gist.github.com/ranftlr/45f4c7dd...,
# linked by isl-org/DPT EVALUATION.md), which takes the benchmark's cropped images and every pixel
# with ground truth.
_base_ = './protocol.py'
test_pipeline = [
    _base_.test_pipeline[0],
    _base_.test_pipeline[1],
    dict(type='KBCrop', image_only=True),
    _base_.test_pipeline[2],
    _base_.test_pipeline[3],
]
test_dataloader = dict(
    dataset=dict(
        type='KITTIDepthDataset',
        data_root='data/kitti',
        ann_file='eigen_zero_shot.txt',
        pipeline=test_pipeline,
    )
)
test_evaluator = dict(
    type='DepthMetric', prefix='kitti', max_depth=80.0, crop='kb', alignment='lstsq'
)
