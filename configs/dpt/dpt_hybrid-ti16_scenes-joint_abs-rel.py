# What make demo trains then, from the weights of dpt_hybrid-ti16_scenes-joint (load_from=FILE): the
# depth by the error that is measured, on undistorted colours. From scratch, that loss is worse than
# one on the logarithm.
_base_ = './dpt_hybrid-ti16_scenes-joint.py'
max_iters = 400
train_pipeline = [step for step in _base_.train_pipeline if step['type'] != 'PhotoMetricDistortion']
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(depth_head=dict(loss_decode=dict(_delete_=True, type='AbsRelLoss', loss_weight=3.0)))
optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=max_iters))
