# Surface normals of NYU's depth, computed between pixels 4 px apart since Kinect's depth is noisy
# (ours); the camera is that of the NYU toolbox's camera_params.m. No rotation.
_base_ = './nyu-depth_square448.py'
train_pipeline = _base_.train_pipeline
del train_pipeline[3]
train_pipeline.insert(
    2,
    dict(
        type='NormalsFromDepth',
        intrinsics=(518.857901, 519.469611, 325.582449, 253.736166),
        stride=4,
    ),
)
test_pipeline = _base_.test_pipeline
test_pipeline.insert(2, train_pipeline[2])
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='NormalsMetric')
test_evaluator = val_evaluator
