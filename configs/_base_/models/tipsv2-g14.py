# What the giant encoder of TIPSv2 changes in every model: google-deepmind/tips@4db271d.
larger = dict(
    backbone=dict(
        arch='dinov2-giant',
        out_indices=(9, 19, 29, 39),
        layer_cfgs=dict(ffn_type='swiglu_fused'),
        init_cfg=dict(checkpoint='dpt-tipsv2-giant-nyu'),
    ),
    decode_head=dict(embed_dims=1536, reassemble_channels=(192, 384, 768, 1536)),
)
