# NYU whose test images are squeezed to the square that the released models of TIPSv2 see.
_base_ = './nyu-depth.py'
test_pipeline = _base_.test_pipeline
test_pipeline[2] = dict(type='ResizeDepth', scale=448, method='exact', image_only=True)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
