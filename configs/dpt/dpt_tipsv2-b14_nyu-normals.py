# TIPSv2 with DPT's head of surface normals, base: google-deepmind/tips@4db271d,
# pytorch/decoders.py, and its model in transformers (5.23, models/tipsv2_dpt), which squeezes
# images to 448 x 448 px. Ours: the recipe.
_base_ = [
    '../_base_/models/dpt_tipsv2-b14_depth.py',
    '../_base_/datasets/nyu-normals_square448.py',
    '../_base_/schedules/depth_adamw_24e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='NormalsEstimator',
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(
        _delete_=True,
        type='NormalsDPTHead',
        loss_decode=dict(type='CosineLoss'),
        **_base_.decoder,
    ),
    test_cfg=dict(_delete_=True, mode='whole'),
)
