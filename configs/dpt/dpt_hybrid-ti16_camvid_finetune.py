# CamVid from the model of rendered rooms and streets at 320 x 240 px: its encoder of half the
# blocks, images of three quarters to 1.1 times their size, and averaged weights. The Lovász loss
# (arXiv:1705.08790) counts a class by its IoU: what is thin weighs as much as a road.
_base_ = './dpt_hybrid-ti16_camvid.py'
load_from = 'work_dirs/dpt_hybrid-ti16_scenes-joint_320x240/iter_6000.pth'
max_iters = 1500
scale = (480, 360)
train_pipeline = [step for step in _base_.train_pipeline if step['type'] != 'PhotoMetricDistortion']
train_pipeline[2].update(scale=scale, ratio_range=(0.75, 1.1))
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = scale
model = dict(
    backbone=dict(img_size=(128, 160), **_base_.short_encoder),  # positions are those of the demo
    decode_head=dict(
        loss_decode=[
            _base_.model.decode_head.loss_decode,
            dict(type='LovaszLoss', reduction='none'),
        ]
    ),
)
train_dataloader = dict(batch_size=4, num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = param_scheduler[1].begin = 30
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
custom_hooks = [dict(type='EMAHook', momentum=0.02, update_buffers=True)]
default_hooks = dict(checkpoint=dict(interval=500))
