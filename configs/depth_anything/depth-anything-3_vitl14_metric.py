_base_ = [
    '../_base_/models/depth-anything-3_vitl14.py',
    '../_base_/datasets/nyu-depth_518.py',
    '../_base_/schedules/depth_adamw_24e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    # metres = output x focal length [px of the input] / 300, README of Depth-Anything-3@2c21ea8;
    # NYU's camera by BTS's list files
    decode_head=dict(canonical_focal=300.0, focal=518.8579),
)
test_pipeline = _base_.test_pipeline
test_pipeline[2] = dict(type='ResizeAsDepthAnything3', size=504)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=5e-5))  # as depth-anything_vitl14_hypersim
