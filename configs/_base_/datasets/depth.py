# What every depth data set shares: steps. A data set changes their sizes and adds its own.
_base_ = './loaders.py'
crop_size = (518, 518)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadDepth'),
    dict(type='ResizeDepth', scale=518, method='lower_bound', multiple=14),
    dict(type='RandomCropDepth', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDepthInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadDepth', allow_empty=True),
    dict(type='ResizeDepth', scale=518, method='lower_bound', multiple=14, image_only=True),
    dict(type='PackDepthInputs'),
]
