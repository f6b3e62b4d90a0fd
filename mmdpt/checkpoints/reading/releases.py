"""Released checkpoints by name: a config, what differs from it, and the published address."""

from typing import NamedTuple

ISL_ORG = 'https://github.com/intel-isl/DPT/releases/download/1_0/'
HUB = 'https://huggingface.co/'
DINOV3 = 'https://dl.fbaipublicfiles.com/dinov3/'
MIDAS = 'https://github.com/isl-org/MiDaS/releases/download/v3_1/'
MMSEG = 'https://download.openmmlab.com/mmsegmentation/v0.5/dpt/'
SIZES = ('small', 'base', 'large')


class Release(NamedTuple):
    """A released checkpoint.

    Attributes:
        config: Name of a config of mmdpt.
        address: Address of the file. A name such as dpt_large-midas-2f21e586.pt carries the
            beginning of its SHA-256.
        options: Overrides of the config, 'key=value'.
    """

    config: str
    address: str
    options: tuple[str, ...] = ()


def list_models() -> list[str]:
    """Give the names of released checkpoints.

    A name stands for the file and, in ``init_model``, for the config too.
    """
    return sorted(RELEASES)


def _depth_anything() -> dict[str, Release]:
    """List V1 (LiheYoung/Depth-Anything) and V2 (DepthAnything/Depth-Anything-V2) by READMEs.

    V1 taps the last four blocks, and its run.py (@1d03336) resizes without align_corners.
    """
    releases = {}
    for size in SIZES:
        vit, title = f'vit{size[0]}', size.capitalize()
        config = f'depth-anything_{vit}14'
        taps = '20,21,22,23' if size == 'large' else '8,9,10,11'
        releases[f'depth-anything-v1-{size}'] = Release(
            f'{config}_relative',
            f'{HUB}spaces/LiheYoung/Depth-Anything/resolve/main/checkpoints/'
            f'depth_anything_{vit}14.pth',
            (
                f'model.backbone.out_indices={taps}',
                'model.test_cfg.resize_align_corners=False',
            ),
        )
        v2 = f'{HUB}depth-anything/Depth-Anything-V2'
        releases[f'depth-anything-v2-{size}'] = Release(
            f'{config}_relative', f'{v2}-{title}/resolve/main/depth_anything_v2_{vit}.pth'
        )
        for name, theirs in (('hypersim', 'Hypersim'), ('vkitti', 'VKITTI')):
            releases[f'depth-anything-v2-{size}-{name}'] = Release(
                f'{config}_{name}',
                f'{v2}-Metric-{theirs}-{title}/resolve/main/'
                f'depth_anything_v2_metric_{name}_{vit}.pth',
            )
    return releases


RELEASES = {
    # isl-org/DPT, README.md
    'dpt-large-midas': Release('dpt_vit-l16_mix6', f'{ISL_ORG}dpt_large-midas-2f21e586.pt'),
    'dpt-hybrid-midas': Release('dpt_hybrid_mix6', f'{ISL_ORG}dpt_hybrid-midas-501f0c75.pt'),
    'dpt-hybrid-nyu': Release('dpt_hybrid_nyu_finetune', f'{ISL_ORG}dpt_hybrid_nyu-2ce69ec7.pt'),
    'dpt-hybrid-kitti': Release(
        'dpt_hybrid_kitti_finetune', f'{ISL_ORG}dpt_hybrid_kitti-cb926ef4.pt'
    ),
    'dpt-large-ade20k': Release('dpt_vit-l16_ade20k', f'{ISL_ORG}dpt_large-ade20k-b12dca68.pt'),
    'dpt-hybrid-ade20k': Release('dpt_hybrid_ade20k', f'{ISL_ORG}dpt_hybrid-ade20k-53898607.pt'),
    **_depth_anything(),
    **{
        f'dpt-tipsv2-{size}-{data}': Release(
            f'dpt_tipsv2-{short.removesuffix("400m")}14_{data}',
            f'{HUB}google/tipsv2-{short}14-dpt/resolve/main/model.safetensors',
        )
        for size, short in (('base', 'b'), ('large', 'l'), ('so400m', 'so400m'), ('giant', 'g'))
        for data in ('nyu', 'nyu-normals', 'ade20k')
    },
    'chmv2-large': Release(
        'dpt_dinov3-l16_canopy',
        f'{HUB}facebook/dinov3-vitl16-chmv2-dpt-head/resolve/main/model.safetensors',
    ),
    # facebookresearch/dinov3, hub/depthers.py: the head, on the encoder that its config names
    'dpt-dinov3-7b-synthmix': Release(
        'dpt_dinov3-7b16_synthmix',
        f'{DINOV3}dinov3_vit7b16/dinov3_vit7b16_synthmix_dpt_head-02040be1.pth',
    ),
    # isl-org/MiDaS, README.md; the encoders' names in the files' are their own
    **{
        f'midas-{name}': Release(f'dpt_{config}_mix6', f'{MIDAS}dpt_{file}.pt')
        for name, config, file in (
            ('beit-large-512', 'beit-l16_512', 'beit_large_512'),
            ('beit-large-384', 'beit-l16', 'beit_large_384'),
            ('beit-base-384', 'beit-b16', 'beit_base_384'),
            ('swin2-large-384', 'swin2-l', 'swin2_large_384'),
            ('swin2-base-384', 'swin2-b', 'swin2_base_384'),
            ('swin2-tiny-256', 'swin2-t', 'swin2_tiny_256'),
            ('swin-large-384', 'swin-l', 'swin_large_384'),
            ('next-vit-large-384', 'next-vit-l', 'next_vit_large_384'),
        )
    },
    # Depth-Anything-3's README
    **{
        f'depth-anything-3-{kind}-large': Release(
            f'depth-anything-3_vitl14_{kind}',
            f'{HUB}depth-anything/DA3{kind.upper()}-LARGE/resolve/main/model.safetensors',
            options,
        )
        for kind, options in (('mono', ()), ('metric', ('model.decode_head.focal=None',)))
    },
    # DINOv2's depth heads on its encoders, in one file: facebook's models for transformers
    **{
        f'dpt-dinov2-{size}-{data}': Release(
            f'dpt_dinov2-{size[0]}14_{data}',
            f'{HUB}facebook/dpt-dinov2-{size}-{data}/resolve/main/model.safetensors',
        )
        for size in (*SIZES, 'giant')
        for data in ('nyu', 'kitti')
    },
    # mmsegmentation, configs/dpt: its ViT's and head's defaults, ImageNet's mean and std
    'mmseg-dpt-base-ade20k': Release(
        'dpt_vit-b16_ade20k',
        f'{MMSEG}dpt_vit-b16_512x512_160k_ade20k/dpt_vit-b16_512x512_160k_ade20k-db31cf52.pth',
        (
            'model.data_preprocessor.mean=123.675,116.28,103.53',
            'model.data_preprocessor.std=58.395,57.12,57.375',
            'model.backbone.img_size=224',
            'model.backbone.interpolate_mode=bicubic',
            'model.backbone.norm_cfg.type=LN',
            'model.backbone.norm_cfg.eps=1e-5',
            'model.decode_head.align_corners=False',
            'model.decode_head.resized=skip',
            'model.decode_head.auxiliary_weight=0',
        ),
    ),
}
