# BEiT-L pretrained and predicting at 512 px.
_base_ = './dpt_beit-l16_mix6.py'
model = dict(backbone=dict(model_name='beit_large_patch16_512'))
test_pipeline = _base_.test_pipeline
test_pipeline[2].scale = 512
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
