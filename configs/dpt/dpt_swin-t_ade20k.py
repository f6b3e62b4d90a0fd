# Ours: a backbone of mmpretrain with maps at strides 4 to 32 in place of the ViT. No map is
# resampled, there is no readout token, and the head's patch is Swin's.
_base_ = [
    '../_base_/models/dpt_vit-b16_seg.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/seg_adamw_160k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(
        size=_base_.crop_size, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=dict(
        _delete_=True,
        type='mmpretrain.SwinTransformer',
        arch='tiny',
        img_size=224,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.3,
        pad_small_map=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/swin-transformer/'
            'swin_tiny_224_b16x64_300e_imagenet_20210616_090925-66df6be6.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(
        embed_dims=(96, 192, 384, 768),
        reassemble_scales=(1, 1, 1, 1),
        readout_type='ignore',
        patch_size=4,
    ),
)
