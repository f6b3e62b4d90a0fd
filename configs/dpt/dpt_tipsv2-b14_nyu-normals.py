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
        embed_dims=768,
        reassemble_channels=(96, 192, 384, 768),
        readout_type='project-tanh',
        patch_size=14,
        channels=256,
        conv_bias=False,
        resized='skip',
        loss_decode=dict(type='CosineLoss'),
    ),
    test_cfg=dict(_delete_=True, mode='whole'),
)
