# 654 images: the official test split; cap 10 m (MiDaS, section 6). Whole frame, raw depth between
# 0 and 10 m, as the authors' script (gist.github.com/ranftlr/a1c7a24e..., linked by isl-org/DPT
# EVALUATION.md): the crop 45:471, 41:601 belongs to the fine-tuned models' protocol.
_base_ = './protocol.py'
test_dataloader = dict(
    dataset=dict(
        type='NYUDepthDataset',
        data_root='data/nyu',
        data_prefix=dict(img_path='images/test', depth_map_path='annotations/test'),
    )
)
test_evaluator = dict(
    type='DepthMetric', prefix='nyu', max_depth=10.0, crop=None, alignment='lstsq'
)
