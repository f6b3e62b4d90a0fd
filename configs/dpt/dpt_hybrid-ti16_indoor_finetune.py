# The two rooms from the model of rendered rooms and streets: a logarithm in place of the range, and
# averaged weights. Both heads of that model share a decoder; the last convolutions are new.
_base_ = ['./dpt_vit-ti16_indoor.py', '../_base_/models/dpt_hybrid-ti16.py']
load_from = 'work_dirs/dpt_hybrid-ti16_scenes-joint_320x240/iter_6000.pth'
max_iters = 1000
crop_size = (128, 160)  # positions are those of the demo
train_pipeline = _base_.train_pipeline
train_pipeline[5].crop_size = crop_size
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(
        img_size=crop_size, drop_path_rate=0.0, **{**_base_.hybrid_encoder, **_base_.short_encoder}
    ),
    decode_head=dict(
        max_depth=None,
        median_depth=1.8,
        upsampling='subpixel',
        loss_decode=[
            dict(type='LogL1Loss'),
            dict(type='AbsRelLoss'),
            dict(type='GradientMatchingLoss', alignment='none', space='log'),
        ],
        **_base_.hybrid_taps,
    ),
)
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
custom_hooks = [dict(type='EMAHook', momentum=0.02, update_buffers=True)]
default_hooks = dict(checkpoint=dict(interval=max_iters))
