# ADE20K, 150 classes: 520 px, random scale 0.5 to 2, 480 px crops, as the paper trains on it.
_base_ = './ade20k_512.py'
crop_size = (480, 480)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = (2080, 520)
train_pipeline[3].crop_size = crop_size
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (2080, 520)
# of pictures: isl-org/DPT@cd3fe90 run_segmentation.py
predict_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='ResizeDepth', scale=480),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
