# Goes on from the model that make demo trains, on 1920 scenes at their own size, where it learns
# the edges of depth. The position embedding keeps its grid and is resized.
_base_ = './dpt_hybrid-ti16_scenes-joint_short.py'
load_from = 'work_dirs/demo/iter_1300.pth'
max_iters = 6000
image_size = (320, 240)
crop_size = (240, 320)
train_pipeline = [step for step in _base_.train_pipeline if step['type'] != 'Resize']
test_pipeline = [step for step in _base_.test_pipeline if step['type'] != 'Resize']
model = dict(data_preprocessor=dict(size=crop_size))
train_dataloader = dict(dataset=dict(indices=1920, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=6e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=1500, dynamic_intervals=None)
default_hooks = dict(checkpoint=dict(interval=500))
