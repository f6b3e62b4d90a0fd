"""mmsegmentation's DPT (mmseg 1.2.2, models/decode_heads/dpt_head.py, models/backbones/vit.py)."""

from mmdpt.checkpoints.layout import (
    AFFINE,
    BATCH_NORM,
    NUM_TAPS,
    WEIGHT,
    Implied,
    Layout,
    Pair,
    StateDict,
    modules,
)
from mmdpt.errors import InputError

NO_BIAS = 'mmseg >= 1.2 embeds patches without a bias'


def _encoder() -> list[Pair]:
    layer = 'backbone.layers.{n}'
    same = ('ln1', 'ln2', 'ffn.layers.0.0', 'ffn.layers.1')
    return [
        Pair('backbone.cls_token', ('backbone.cls_token',), 'encoder'),
        Pair('backbone.pos_embed', ('backbone.pos_embed',), 'encoder'),
        *modules(
            'encoder',
            ('backbone.patch_embed.projection', 'backbone.patch_embed.projection', WEIGHT),
            *((f'{layer}.{name}', f'{layer}.{name}', AFFINE) for name in same),
            (f'{layer}.attn.proj', f'{layer}.attn.attn.out_proj', AFFINE),
        ),
        *(
            Pair(f'{layer}.attn.qkv.{leaf}', (f'{layer}.attn.attn.in_proj_{leaf}',), 'encoder')
            for leaf in AFFINE
        ),
        *modules(
            'patch bias',
            ('backbone.patch_embed.projection', 'backbone.patch_embed.projection', ('bias',)),
        ),
    ]


def _head() -> list[Pair]:
    theirs = 'decode_head.reassemble_blocks'
    pairs = []
    for k in range(NUM_TAPS):
        ours, block = f'decode_head.reassemble.blocks.{k}', f'decode_head.fusion.blocks.{k}'
        fused = f'decode_head.fusion_blocks.{k}'
        pairs += modules(
            'readout', (f'{ours}.read.project', f'{theirs}.readout_projects.{k}.0', AFFINE)
        )
        pairs += modules(
            'head',
            (f'{ours}.project', f'{theirs}.projects.{k}.conv', AFFINE),
            *(((f'{ours}.resample', f'{theirs}.resize_layers.{k}', AFFINE),) if k != 2 else ()),
            (f'{ours}.to_fusion', f'decode_head.convs.{k}.conv', WEIGHT),
            (f'{block}.project', f'{fused}.project.conv', AFFINE),
        )
        for unit in (1, 2)[k == 0 :]:
            for i in (1, 2):
                conv = f'{fused}.res_conv_unit{unit}.conv{i}'
                pairs += modules(
                    'head', (f'{block}.residual_unit{unit}.conv{i}', f'{conv}.conv', WEIGHT)
                )
                pairs += modules(
                    'norm', (f'{block}.residual_unit{unit}.norm{i}', f'{conv}.bn', BATCH_NORM)
                )
    pairs += modules(
        'head',
        ('decode_head.project.conv', 'decode_head.project.conv', WEIGHT),
        ('decode_head.conv_seg', 'decode_head.conv_seg', AFFINE),
    )
    project = 'decode_head.project'
    return [
        *pairs,
        *modules('norm', (f'{project}.bn', f'{project}.bn', BATCH_NORM)),
        *modules('project bias', (f'{project}.conv', f'{project}.conv', ('bias',))),
    ]


def _check(state_dict: StateDict) -> None:
    """Refuse a final norm: mmseg puts it on the last tap alone, we on every tap or none."""
    if 'backbone.ln1.weight' in state_dict:
        raise InputError(
            'backbone.ln1.weight: this mmseg model has final_norm=True, which normalises the '
            'last tap alone; VisionTransformerDPT normalises all or none: the numbers would differ'
        )


LAYOUTS = (
    Layout(
        source='mmseg',
        marks=(
            r'^backbone\.layers\.\d+\.attn\.attn\.in_proj_',
            r'^decode_head\.reassemble_blocks\.',
        ),
        pairs=(*_encoder(), *_head()),
        required=('encoder', 'head'),
        task='segmentation',
        implied=(
            Implied(
                'backbone.patch_embed.projection.bias',
                'backbone.patch_embed.projection.weight',
                NO_BIAS,
            ),
        ),
        check=_check,
        settings="backbone: norm_cfg=dict(type='LN', eps=1e-5), interpolate_mode='bicubic'; "
        'decode_head: align_corners=False, conv_bias=False; mean and std of its own config',
    ),
)
