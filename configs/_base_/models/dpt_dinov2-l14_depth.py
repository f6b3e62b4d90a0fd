# DINOv2 with DPT's depth head, large: taps and widths as dpt_dinov2-s14_depth.py's source.
_base_ = './dpt_dinov2-s14_depth.py'
model = dict(
    backbone=dict(
        arch='dinov2-large',
        out_indices=(4, 11, 17, 23),
        init_cfg=dict(
            checkpoint='https://mmassets.onedl.ai/mmpretrain/v1.0/dinov2/'
            'vit-large-p14_dinov2-pre_3rdparty_20230426-f3302d9e.pth'
        ),
    ),
    decode_head=dict(embed_dims=1024, reassemble_channels=(128, 256, 512, 1024)),
)
