# NYU Depth v2, 480 x 640 px, in mmseg's folders; crop, rotation and flip of the Monocular Depth
# Estimation Toolbox's configs/_base_/datasets/nyu.py, mmseg's colours in place of its own.
# BTS's list files: dataset=dict(ann_file='nyu_train.txt', data_prefix=None).
_base_ = './depth.py'
dataset_type = 'NYUDepthDataset'
data_root = 'data/nyu'
crop_size = (416, 544)
train_pipeline = _base_.train_pipeline
train_pipeline[2:5] = [
    dict(type='NYUCrop'),
    dict(type='RandomRotateDepth', prob=0.5, degree=2.5),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCropDepth', crop_size=crop_size),
    dict(type='PhotoMetricDistortion'),
]
test_pipeline = _base_.test_pipeline
# leaves NYU's images as they are, others come to their size: isl-org/DPT@cd3fe90
# run_monodepth.py
test_pipeline[2] = dict(type='ResizeDepth', scale=(640, 480), image_only=True)
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='images/train', depth_map_path='annotations/train'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='images/test', depth_map_path='annotations/test'),
        pipeline=test_pipeline,
        test_mode=True,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', min_depth=1e-3, max_depth=10.0, crop='nyu')
test_evaluator = val_evaluator
