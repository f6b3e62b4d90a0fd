# What the SO400m encoder of TIPSv2 changes in every model: google-deepmind/tips@4db271d.
larger = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=1152, num_layers=27, num_heads=16, feedforward_channels=4304
        ),
        out_indices=(6, 13, 20, 26),
        init_cfg=dict(checkpoint='dpt-tipsv2-so400m-nyu'),
    ),
    decode_head=dict(embed_dims=1152, reassemble_channels=(144, 288, 576, 1152)),
)
