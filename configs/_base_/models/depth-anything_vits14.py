# Depth Anything V2, small (arXiv:2406.09414): widths and taps as Depth-Anything-V2@a561b84,
# depth_anything_v2/dpt.py and metric_depth/train.py. V1 (arXiv:2401.10891) taps the last four
# blocks. The encoder starts from DINOv2 (mmpretrain's copy of Meta's weights).
_base_ = './dpt_vit-b16_depth.py'
model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        arch='dinov2-small',
        img_size=518,
        patch_size=14,
        norm_taps=True,
        interpolate_mode='bicubic-offset',
        layer_scale_init_value=1.0,
        init_cfg=dict(
            checkpoint='https://mmassets.onedl.ai/mmpretrain/v1.0/dinov2/'
            'vit-small-p14_dinov2-pre_3rdparty_20230426-5641ca5a.pth'
        ),
    ),
    decode_head=dict(
        embed_dims=384,
        reassemble_channels=(48, 96, 192, 384),
        readout_type='ignore',
        patch_size=14,
        channels=64,
        # as metric_depth/train.py
        loss_decode=dict(_delete_=True, type='SiLogLoss', reduction='batch'),
    ),
    test_cfg=dict(resize_align_corners=True),  # V2's infer_image; V1's run.py: False
)
