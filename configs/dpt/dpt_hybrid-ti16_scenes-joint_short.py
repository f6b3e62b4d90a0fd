# What make demo trains: dpt_hybrid-ti16_scenes-joint in minutes, on the first 480 scenes. The depth
# losses weigh more, so that objects show early.
_base_ = './dpt_hybrid-ti16_scenes-joint.py'
max_iters = 600
model = dict(
    depth_head=dict(
        loss_decode=[
            dict(type='SiLogLoss', variance_weight=0.0, loss_weight=1.5),
            dict(type='GradientMatchingLoss', alignment='none', space='log', loss_weight=0.75),
        ]
    )
)
train_dataloader = dict(dataset=dict(indices=480))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=160)  # make demo tests after the last one
default_hooks = dict(checkpoint=dict(interval=max_iters))
