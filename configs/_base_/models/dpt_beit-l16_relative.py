# MiDaS 3.1 on BEiT-L: isl-org/MiDaS@4545977,
# midas/{dpt_depth.py,backbones/beit.py}. The encoder starts from timm's weights.
_base_ = './dpt_timm_depth.py'
model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(model_name='beit_large_patch16_384', out_indices=(5, 11, 17, 23)),
    decode_head=dict(
        reassemble_channels=(256, 512, 1024, 1024),
        output='relative',
        loss_decode=[
            dict(type='SSITrimmedLoss'),
            dict(type='GradientMatchingLoss', loss_weight=0.5),
        ],
    ),
    test_cfg=dict(resize_mode='bicubic'),
)
