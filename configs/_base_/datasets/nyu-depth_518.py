# NYU at Depth Anything's size (Depth-Anything-V2@a561b84, metric_depth/dataset/hypersim.py): the
# shorter side to 518 px, both multiples of 14; in training 518 px crops and horizontal flip.
_base_ = './nyu-depth.py'
crop_size = (518, 518)
train_pipeline = _base_.train_pipeline
train_pipeline[0].to_float32 = True
train_pipeline[3:7] = [
    dict(type='ResizeDepth', scale=518, method='lower_bound', multiple=14),
    dict(type='RandomCropDepth', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
]
test_pipeline = _base_.test_pipeline
test_pipeline[2].update(scale=518, method='lower_bound', multiple=14)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
