# MIX6's sets at Depth Anything's size: the shorter side to 518 px, both multiples of 14; in
# training 518 px crops and horizontal flip.
_base_ = './mix6.py'
crop_size = (518, 518)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadDepth', median_range=None, allow_empty=True),
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
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(dataset, pipeline=train_pipeline)
            for dataset in _base_.train_dataloader.dataset.datasets
        ]
    )
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
