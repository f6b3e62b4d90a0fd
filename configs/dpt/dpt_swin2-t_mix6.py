# Of 256 px, in training too.
_base_ = './dpt_swin2-l_mix6.py'
crop_size = (256, 256)
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(model_name='swinv2_tiny_window16_256'),
)
train_dataloader = _base_.train_dataloader
for dataset in train_dataloader.dataset.datasets:
    dataset.pipeline[2].scale = 256
    dataset.pipeline[3].crop_size = crop_size
test_pipeline = _base_.test_pipeline
test_pipeline[2].scale = 256
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
