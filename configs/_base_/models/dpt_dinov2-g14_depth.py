# DINOv2 with DPT's depth head, giant: taps and widths as dpt_dinov2-s14_depth.py's source.
_base_ = './dpt_dinov2-s14_depth.py'
model = dict(
    backbone=dict(
        arch='dinov2-giant',
        out_indices=(9, 19, 29, 39),
        layer_cfgs=dict(ffn_type='swiglu_fused'),
        init_cfg=dict(
            checkpoint='https://mmassets.onedl.ai/mmpretrain/v1.0/dinov2/'
            'vit-giant-p14_dinov2-pre_3rdparty_20230426-2934a630.pth'
        ),
    ),
    decode_head=dict(embed_dims=1536, reassemble_channels=(192, 384, 768, 1536)),
)
