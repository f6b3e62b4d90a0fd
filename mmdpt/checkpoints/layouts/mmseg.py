"""mmsegmentation's DPT (mmseg 1.2.2, models/decode_heads/dpt_head.py, models/backbones/vit.py)."""

from mmdpt.checkpoints.layouts import decoder
from mmdpt.errors import InputError

from .layout import AFFINE, BATCH_NORM, NUM_TAPS, WEIGHT, Implied, Layout, Pair, StateDict, modules

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


def neck(
    reassemble: str, fusion: str, fusion_bias: str | None = None, theirs: str = 'decode_head'
) -> list[Pair]:
    """Pair reassembling and fusion, parts of these names, which DINOv2's and 3's depth heads have.

    The fusion's convolutions have a bias if its part has a name.
    """
    taps, block = f'{theirs}.reassemble_blocks', f'{theirs}.fusion_blocks.{{k}}'
    return [
        *decoder.reassemble(
            range(NUM_TAPS),
            f'{taps}.readout_projects.{{k}}.0',
            f'{taps}.projects.{{k}}.conv',
            f'{taps}.resize_layers.{{k}}',
            part=reassemble,
        ),
        *decoder.fusion(
            f'{theirs}.convs.{{k}}.conv',
            f'{block}.project.conv',
            f'{block}.res_conv_unit{{u}}',
            'conv{i}.conv',
            'conv{i}.bn',
            part=fusion,
            bias_part=fusion_bias,
            norm_part='norm',
        ),
    ]


def _head() -> list[Pair]:
    project = 'decode_head.project'
    return [
        *neck('head', 'head'),
        *modules(
            'head',
            (f'{project}.conv', f'{project}.conv', WEIGHT),
            ('decode_head.conv_seg', 'decode_head.conv_seg', AFFINE),
        ),
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
        settings='--cfg-options model.backbone.norm_cfg.type=LN model.backbone.norm_cfg.eps=1e-5 '
        'model.backbone.interpolate_mode=bicubic model.decode_head.align_corners=False '
        'model.decode_head.conv_bias=False; mean and std of its own config',
    ),
)
