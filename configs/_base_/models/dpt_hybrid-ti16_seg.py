# Ours: DPT-Hybrid, small: three stages of a ResNet-18 at half its width, then a ViT-Ti. From a few
# hundred images convolutions learn more than a patch embedding does.
_base_ = './dpt_vit-ti16_seg.py'
model = dict(
    backbone=dict(
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
    ),
    decode_head=dict(
        embed_dims=(32, 64, 192, 192),
        reassemble_channels=(None, None, 96, 192),
        reassemble_scales=(1, 1, 1, 0.5),
        patch_size=4,
    ),
)
