_base_ = [
    '../_base_/models/depth-anything-3_vitl14.py',
    '../_base_/datasets/mix6_518.py',
    '../_base_/schedules/depth_adam_mix6.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(
        output='relative',  # the inverse of the network's depth, which has no unit
        loss_decode=[
            dict(type='SSITrimmedLoss'),
            dict(type='GradientMatchingLoss', loss_weight=0.5),
        ],
    ),
)
test_pipeline = _base_.test_pipeline
test_pipeline[2] = dict(type='ResizeAsDepthAnything3', size=504)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=5e-5))  # as depth-anything_vitl14_relative
