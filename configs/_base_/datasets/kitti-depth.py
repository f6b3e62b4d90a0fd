# KITTI, Eigen's split through BTS's list files, 352 x 1216 px; crop, rotation and flip of the
# Monocular Depth Estimation Toolbox's configs/_base_/datasets/kitti.py, mmseg's colours.
_base_ = './depth.py'
dataset_type = 'KITTIDepthDataset'
data_root = 'data/kitti'
crop_size = (352, 704)
train_pipeline = _base_.train_pipeline
train_pipeline[2:5] = [
    dict(type='KBCrop'),
    dict(type='RandomRotateDepth', prob=0.5, degree=2.5),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCropDepth', crop_size=crop_size),
    dict(type='PhotoMetricDistortion'),
]
test_pipeline = _base_.test_pipeline
# leaves the crop as it is; pictures that are not cropped come to its size: isl-org/DPT@cd3fe90
# run_monodepth.py
test_pipeline[2] = dict(type='ResizeDepth', scale=(1216, 352), image_only=True)
test_pipeline.insert(2, dict(type='KBCrop', image_only=True))
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='kitti_eigen_train.txt',
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='kitti_eigen_test.txt',
        pipeline=test_pipeline,
        test_mode=True,
    )
)
test_dataloader = val_dataloader
val_evaluator = [
    # BTS's eval_with_pngs.py --garg_crop --do_kb_crop, as isl-org/DPT EVALUATION.md: of the frame
    dict(type='DepthMetric', min_depth=1e-3, max_depth=80.0, crop='garg'),
    # the Monocular Depth Estimation Toolbox's depth/datasets/kitti.py: of the benchmark's crop
    dict(type='DepthMetric', min_depth=1e-3, max_depth=80.0, crop='kb-garg', prefix='kb-garg'),
]
test_evaluator = val_evaluator
