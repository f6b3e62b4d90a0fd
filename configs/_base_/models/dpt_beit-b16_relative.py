# MiDaS 3.1 on BEiT-B: isl-org/MiDaS@4545977,
# midas/{dpt_depth.py,backbones/beit.py}. The encoder starts from timm's weights.
_base_ = './dpt_timm_depth.py'
model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(model_name='beit_base_patch16_384', out_indices=(2, 5, 8, 11)),
    decode_head=dict(
        reassemble_channels=(96, 192, 384, 768),
        output='relative',
        loss_decode=[
            dict(type='SSITrimmedLoss'),
            dict(type='GradientMatchingLoss', loss_weight=0.5),
        ],
    ),
    test_cfg=dict(resize_mode='bicubic'),
)
