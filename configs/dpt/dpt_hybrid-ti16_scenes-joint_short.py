# What make demo trains: dpt_hybrid-ti16_scenes-joint in minutes, on the first 480 scenes. Smaller
# batches and undistorted colours learn faster, and the losses let objects show early.
_base_ = './dpt_hybrid-ti16_scenes-joint.py'
max_iters = 1150
train_pipeline = [step for step in _base_.train_pipeline if step['type'] != 'PhotoMetricDistortion']
model = dict(
    depth_head=dict(
        loss_decode=[
            dict(type='LogL1Loss', loss_weight=1.5),
            dict(type='GradientMatchingLoss', alignment='none', space='log', loss_weight=0.75),
        ]
    )
)
train_dataloader = dict(batch_size=4, dataset=dict(indices=480, pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=8e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=290)
default_hooks = dict(checkpoint=dict(interval=max_iters))
