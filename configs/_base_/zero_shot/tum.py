# 1,815 images: the dynamic scenes with people; cap 10 m (MiDaS, section 6). Whole image: no crop is
# mentioned there.
_base_ = './protocol.py'
test_dataloader = dict(
    dataset=dict(type='DepthListDataset', data_root='data/tum', ann_file='associated.csv')
)
test_evaluator = dict(
    type='DepthMetric', prefix='tum', max_depth=10.0, crop=None, alignment='lstsq'
)
