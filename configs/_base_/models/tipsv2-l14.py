# What the large encoder of TIPSv2 changes in every model: google-deepmind/tips@4db271d.
larger = dict(
    backbone=dict(
        arch='large',
        out_indices=(5, 11, 17, 23),
        init_cfg=dict(checkpoint='dpt-tipsv2-large-nyu'),
    ),
    decode_head=dict(embed_dims=1024, reassemble_channels=(128, 256, 512, 1024)),
)
