"""DINOv3 for ``TimmDPTBackbone``: facebookresearch/dinov3@6876159, and transformers (5.23).

Our names are those of timm's ``*_dinov3_qkvb``, whose query and value have a bias.
"""

from torch import Tensor

from mmdpt.checkpoints.layouts.dinov2 import NO_MASKING

from .layout import AFFINE, Dead, Layout, Pair, StateDict, modules

TIMM = 'backbone.timm_model'
BLOCK = f'{TIMM}.blocks.{{n}}'
BIAS = 'query and value bias'
SETTINGS = (
    '--cfg-options model.backbone.norm_taps=True; model.backbone.model_name ends in dinov3_qkvb '
    '(7B: dinov3); mean and std are those of the published weights, which timm knows by their tag'
)


def own(prefix: str = '', gated: bool = False) -> list[Pair]:
    """Pair timm's encoder with DINOv3's own names below ``prefix``, after ``split_bias``."""
    block = f'{prefix}blocks.{{n}}'
    return [
        Pair(f'{TIMM}.reg_token', (f'{prefix}storage_tokens',), 'encoder'),
        Pair(f'{BLOCK}.attn.qkv.weight', (f'{block}.attn.qkv.weight',), 'encoder'),
        *_query_and_value_bias(f'{block}.attn.{{}}_bias'),
        *_shared(prefix, block, f'{prefix}patch_embed.proj', 'attn.proj', 'ls{}.gamma'),
        *_feed_forward(block, ('w1', 'w2', 'w3') if gated else ('fc1', 'fc2')),
    ]


def huggingface(prefix: str = '', gated: bool = False, layer: str = 'layer') -> list[Pair]:
    """Pair timm's encoder with transformers' DINOv3ViT below ``prefix``."""
    block, embeddings = f'{prefix}{layer}.{{n}}', f'{prefix}embeddings'
    query_key_value = tuple(f'{block}.attention.{x}_proj.weight' for x in 'qkv')
    shared = _shared(
        f'{embeddings}.',
        block,
        f'{embeddings}.patch_embeddings',
        'attention.o_proj',
        'layer_scale{}.lambda1',
        norm=f'{prefix}norm',
    )
    return [
        Pair(f'{TIMM}.reg_token', (f'{embeddings}.register_tokens',), 'encoder'),
        Pair(f'{BLOCK}.attn.qkv.weight', query_key_value, 'encoder'),
        *_query_and_value_bias(f'{block}.attention.{{}}_proj.bias'),
        *shared,
        *_feed_forward(block, ('gate_proj',) * gated + ('up_proj', 'down_proj')),
    ]


def split_bias(state_dict: StateDict) -> dict[str, Tensor]:
    """Split the joint biases, of which the key's is masked, and leave out what is not loaded.

    Periods are computed in float32; ``local_cls_norm`` (7B, L of SAT-493M) serves the pretraining.
    """
    split = {}
    for key, value in state_dict.items():
        if key.endswith('attn.qkv.bias'):
            query, _, of_value = value.chunk(3)
            stem = key.removesuffix('qkv.bias')
            split.update({f'{stem}q_bias': query, f'{stem}v_bias': of_value})
        elif not (key.endswith(('.bias_mask', 'rope_embed.periods')) or 'local_cls_norm.' in key):
            split[key] = value
    return split


def _shared(
    prefix: str, block: str, patches: str, out: str, scale: str, norm: str = ''
) -> list[Pair]:
    return [
        Pair(f'{TIMM}.cls_token', (f'{prefix}cls_token',), 'encoder'),
        *modules(
            'encoder',
            (f'{TIMM}.patch_embed.proj', patches, AFFINE),
            (f'{TIMM}.norm', norm or f'{prefix}norm', AFFINE),
            (f'{BLOCK}.norm1', f'{block}.norm1', AFFINE),
            (f'{BLOCK}.norm2', f'{block}.norm2', AFFINE),
            (f'{BLOCK}.attn.proj', f'{block}.{out}', AFFINE),
        ),
        *(
            Pair(f'{BLOCK}.gamma_{number}', (f'{block}.{scale.format(number)}',), 'encoder')
            for number in (1, 2)
        ),
    ]


def _query_and_value_bias(theirs: str) -> list[Pair]:
    return [Pair(f'{BLOCK}.attn.{x}_bias', (theirs.replace('{}', x),), BIAS) for x in 'qv']


def _feed_forward(block: str, names: tuple[str, ...]) -> list[Pair]:
    """Pair two linear layers, or the three of SwiGLU, whose first is the gate."""
    ours = ('fc1', 'fc2') if len(names) == 2 else ('fc1_g', 'fc1_x', 'fc2')
    rows = (
        (f'{BLOCK}.mlp.{a}', f'{block}.mlp.{b}', AFFINE) for a, b in zip(ours, names, strict=True)
    )
    return modules('encoder', *rows)


def masking(key: str) -> tuple[Dead, ...]:
    """Name the token that stands for masked patches."""
    return (Dead(key, NO_MASKING, f'{TIMM}.cls_token'),)


LAYOUTS = tuple(
    layout
    for gated in (True, False)  # the other's marks are among this one's
    for layout in (
        Layout(
            source='dinov3',
            marks=(r'^storage_tokens$', r'^blocks\.0\.mlp\.' + ('w3' if gated else 'fc1')),
            pairs=tuple(own(gated=gated)),
            required=('encoder',),
            task='backbone',
            dead=masking('mask_token'),
            prepare=split_bias,
            settings=SETTINGS,
        ),
        Layout(
            source='huggingface',
            marks=(
                r'^embeddings\.register_tokens$',
                r'^(model\.)?layer\.0\.mlp\.' + ('gate_proj' if gated else 'up_proj'),
            ),
            pairs=tuple(huggingface(gated=gated)),
            required=('encoder',),
            task='backbone',
            dead=masking('embeddings.mask_token'),
            aliases=((r'^model\.layer\.', 'layer.'),),
            settings=SETTINGS,
        ),
    )
)
