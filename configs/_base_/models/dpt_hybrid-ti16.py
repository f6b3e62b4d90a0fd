# Ours: what makes a dpt_vit-ti16 a small DPT-Hybrid: three stages of a ResNet-18 at half its width,
# then the ViT-Ti. From a few hundred images convolutions learn more than a patch embedding does.
hybrid_encoder = dict(
    stem=dict(
        type='mmpretrain.ResNet',
        depth=18,
        base_channels=32,
        stem_channels=32,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
        norm_cfg=dict(type='SyncBN', requires_grad=True),
    ),
    out_indices=(8, 11),
)
hybrid_taps = dict(
    embed_dims=(32, 64, 192, 192),
    reassemble_channels=(None, None, 96, 192),
    reassemble_scales=(1, 1, 1, 0.5),
    patch_size=4,
)
# half of the blocks: make demo, and what goes on from its model
short_encoder = dict(
    arch=dict(_delete_=True, embed_dims=192, num_layers=6, num_heads=3, feedforward_channels=768),
    out_indices=(3, 5),
)
