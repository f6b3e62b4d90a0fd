# Depth Anything V2, large.
_base_ = './depth-anything_vits14.py'
model = dict(
    backbone=dict(
        arch='dinov2-large',
        out_indices=(4, 11, 17, 23),
        init_cfg=dict(
            checkpoint='https://mmassets.onedl.ai/mmpretrain/v1.0/dinov2/'
            'vit-large-p14_dinov2-pre_3rdparty_20230426-f3302d9e.pth'
        ),
    ),
    decode_head=dict(embed_dims=1024, reassemble_channels=(256, 512, 1024, 1024), channels=256),
)
