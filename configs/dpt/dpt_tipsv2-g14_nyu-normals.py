_base_ = './dpt_tipsv2-b14_nyu-normals.py'
model = dict(
    backbone=dict(
        arch='dinov2-giant',
        out_indices=(9, 19, 29, 39),
        layer_cfgs=dict(ffn_type='swiglu_fused'),
        init_cfg=dict(checkpoint='dpt-tipsv2-giant-nyu'),
    ),
    decode_head=dict(embed_dims=1536, reassemble_channels=(192, 384, 768, 1536)),
)
