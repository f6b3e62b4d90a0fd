_base_ = [
    '../_base_/models/dpt_swin2_relative.py',
    '../_base_/datasets/mix6.py',
    '../_base_/schedules/depth_adam_mix6.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.crop_size))
# MiDaS 3.1 squeezes images to the squares that the encoder's windows fit
test_pipeline = _base_.test_pipeline
test_pipeline[2].update(scale=384, method='exact')
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
