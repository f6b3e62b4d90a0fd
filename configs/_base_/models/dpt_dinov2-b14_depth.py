# DINOv2 with DPT's depth head, base: taps and widths as dpt_dinov2-s14_depth.py's source.
_base_ = './dpt_dinov2-s14_depth.py'
model = dict(
    backbone=dict(
        arch='dinov2-base',
        init_cfg=dict(
            checkpoint='https://mmassets.onedl.ai/mmpretrain/v1.0/dinov2/'
            'vit-base-p14_dinov2-pre_3rdparty_20230426-ba246503.pth'
        ),
    ),
    decode_head=dict(embed_dims=768, reassemble_channels=(96, 192, 384, 768)),
)
