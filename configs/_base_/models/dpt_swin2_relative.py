# MiDaS 3.1 on Swin2, and on other pyramids by their names: isl-org/MiDaS@4545977,
# midas/{dpt_depth.py,backbones/{swin2,swin_common,next_vit}.py}. The encoder starts from timm's
# weights.
_base_ = './dpt_timm_depth.py'
model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(model_name='swinv2_large_window12to24_192to384'),
    decode_head=dict(
        output='relative',
        loss_decode=[
            dict(type='SSITrimmedLoss'),
            dict(type='GradientMatchingLoss', loss_weight=0.5),
        ],
    ),
    test_cfg=dict(resize_mode='bicubic'),
)
