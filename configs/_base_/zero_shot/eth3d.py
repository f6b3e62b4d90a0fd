# 454 images: the high-resolution multi-view training scenes; cap 72 m, the farthest ground truth
# (MiDaS, section 6). Whole image: no crop is mentioned there.
_base_ = './protocol.py'
test_pipeline = _base_.test_pipeline
# the depth follows the pixels of the file, whatever its EXIF orientation
test_pipeline[0].color_type = 'color_ignore_orientation'
# ours: an image that no scan reaches is named and left out by the metric
test_pipeline[1].allow_empty = True
test_dataloader = dict(
    dataset=dict(type='ETH3DDataset', data_root='data/eth3d', pipeline=test_pipeline)
)
test_evaluator = dict(
    type='DepthMetric', prefix='eth3d', max_depth=72.0, crop=None, alignment='lstsq'
)
