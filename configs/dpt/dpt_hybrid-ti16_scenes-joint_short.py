# What make demo trains: dpt_hybrid-ti16_scenes-joint in minutes, on the first 480 scenes. Half of
# the blocks, one decoder for both heads and small batches; the averaged weights are validated.
_base_ = './dpt_hybrid-ti16_scenes-joint.py'
max_iters = 1300
image_size = (160, 128)  # stretched: a multiple of the patch, so that nothing is padded
crop_size = (128, 160)
train_pipeline = [step for step in _base_.train_pipeline if step['type'] != 'PhotoMetricDistortion']
train_pipeline[3] = dict(type='Resize', scale=image_size)
test_pipeline = _base_.test_pipeline
test_pipeline[1] = dict(type='Resize', scale=image_size)
model = dict(
    share_decoder=True,
    data_preprocessor=dict(size=crop_size),
    backbone=dict(img_size=crop_size, **_base_.short_encoder),
    depth_head=dict(
        upsampling='subpixel',
        loss_decode=[
            dict(type='LogL1Loss'),
            dict(type='AbsRelLoss'),
            dict(type='GradientMatchingLoss', alignment='none', space='log', loss_weight=2.0),
        ],
    ),
)
train_dataloader = dict(
    batch_size=4, num_workers=1, dataset=dict(indices=480, pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=10, num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
# after the first picture only two more
train_cfg = dict(max_iters=max_iters, val_interval=270, dynamic_intervals=[(272, 650)])
custom_hooks = [
    dict(type='ValidationPictureHook'),
    dict(type='EMAHook', momentum=0.02, update_buffers=True),
]
default_hooks = dict(checkpoint=dict(interval=max_iters), logger=dict(interval=25))
