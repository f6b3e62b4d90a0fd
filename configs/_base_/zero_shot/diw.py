# 74,441 images: the official test list (MiDaS, section 6). WHDR with unit weights.
_base_ = './protocol.py'
# the pairs count the pixels of the file, whatever its EXIF orientation
test_pipeline = [
    dict(type='LoadImageFromFile', color_type='color_ignore_orientation'),
    _base_.test_pipeline[2],
    _base_.test_pipeline[3],
]
test_dataloader = dict(
    dataset=dict(type='DIWDataset', data_root='data/diw', pipeline=test_pipeline)
)
test_evaluator = dict(type='WHDRMetric', prefix='diw')
