"""DINOv2 as initial weights: facebookresearch/dinov2's own files, timm's, and transformers' (5.23).

DINOv2's own names are those of its copy in Depth-Anything-V2 @a561b84, depth_anything_v2/dinov2.py.
"""

from mmdpt.checkpoints.layouts import timm
from mmdpt.errors import InputError

from .layout import AFFINE, OLDER, Dead, Layout, Pair, StateDict, modules

NO_MASKING = 'stands for masked patches, in the pretraining only'
LAYER = 'backbone.layers.{n}'
SCALES = (f'{LAYER}.attn.gamma1.weight', f'{LAYER}.ffn.gamma2.weight')
EITHER = ('mlp', 'swiglu', f'swiglu {OLDER}')
SETTINGS = (
    '--cfg-options model.backbone.interpolate_mode={} model.backbone.norm_taps=True '
    'model.backbone.layer_scale_init_value=1.0 '
    'model.data_preprocessor.mean=123.675,116.28,103.53 '
    "model.data_preprocessor.std=58.395,57.12,57.375; 'bicubic-antialias' with registers{}"
)
# The names of the released files and of transformers before its 5th version.
ALIASES = (
    (r'(layer\.\d+\.attention)\.attention\.query\.', r'\1.q_proj.'),
    (r'(layer\.\d+\.attention)\.attention\.key\.', r'\1.k_proj.'),
    (r'(layer\.\d+\.attention)\.attention\.value\.', r'\1.v_proj.'),
    (r'(layer\.\d+\.attention)\.output\.dense\.', r'\1.o_proj.'),
    (r'(layer\.\d+\.mlp)\.weights_out\.', r'\1.down_proj.'),
)


def own(prefix: str) -> list[Pair]:
    """Pair our encoder with DINOv2's names below ``prefix``."""
    block = f'{prefix}blocks.{{n}}'
    return [
        *timm.vit(prefix, mlp=False),
        *modules('encoder', ('backbone.ln1', f'{prefix}norm', AFFINE)),
        Pair(SCALES[0], (f'{block}.ls1.gamma',), 'encoder'),
        Pair(SCALES[1], (f'{block}.ls2.gamma',), 'encoder'),
        Pair('backbone.register_tokens', (f'{prefix}register_tokens',), 'registers'),
        *timm.feed_forward(block, 'mlp'),
        *modules(
            'swiglu',
            (f'{LAYER}.ffn.w12', f'{block}.mlp.w12', AFFINE),
            (f'{LAYER}.ffn.w3', f'{block}.mlp.w3', AFFINE),
        ),
    ]


def huggingface(prefix: str) -> list[Pair]:
    """Pair our encoder with transformers' Dinov2, with or without registers, below ``prefix``."""
    theirs, embeddings = f'{prefix}encoder.layer.{{n}}', f'{prefix}embeddings'
    patches = f'{embeddings}.patch_embeddings.projection'
    joined = [
        Pair(f'{LAYER}.{ours}.{leaf}', tuple(f'{theirs}.{name}.{leaf}' for name in pieces), part)
        for leaf in AFFINE
        for ours, pieces, part in (
            ('attn.qkv', tuple(f'attention.{x}_proj' for x in 'qkv'), 'encoder'),
            ('ffn.w12', ('mlp.gate_proj', 'mlp.up_proj'), 'swiglu'),
            ('ffn.w12', ('mlp.weights_in',), f'swiglu {OLDER}'),
        )
    ]
    return [
        Pair('backbone.cls_token', (f'{embeddings}.cls_token',), 'encoder'),
        Pair('backbone.pos_embed', (f'{embeddings}.position_embeddings',), 'encoder'),
        Pair('backbone.register_tokens', (f'{embeddings}.register_tokens',), 'registers'),
        *modules(
            'encoder',
            ('backbone.patch_embed.projection', patches, AFFINE),
            ('backbone.ln1', f'{prefix}layernorm', AFFINE),
            (f'{LAYER}.ln1', f'{theirs}.norm1', AFFINE),
            (f'{LAYER}.attn.proj', f'{theirs}.attention.o_proj', AFFINE),
            (f'{LAYER}.ln2', f'{theirs}.norm2', AFFINE),
        ),
        *joined,
        *timm.feed_forward(theirs, 'mlp'),
        *modules('swiglu output', (f'{LAYER}.ffn.w3', f'{theirs}.mlp.down_proj', AFFINE)),
        Pair(SCALES[0], (f'{theirs}.layer_scale1.lambda1',), 'encoder'),
        Pair(SCALES[1], (f'{theirs}.layer_scale2.lambda1',), 'encoder'),
    ]


def masking(key: str) -> Dead:
    """Name the token that stands for masked patches."""
    return Dead(key, NO_MASKING, 'backbone.layers.0.attn.proj.weight', rows=1)


def _check(state_dict: StateDict) -> None:
    """Refuse timm's files with registers, whose position embedding leaves the class token out."""
    if 'reg_token' in state_dict:
        raise InputError(
            "reg_token: timm's DINOv2 with registers adds no position to the class token; take "
            "DINOv2's own file or transformers'"
        )


LAYOUTS = (
    Layout(
        source='timm',
        marks=(
            r'^blocks\.\d+\.attn\.qkv\.',
            r'^blocks\.\d+\.ls[12]\.gamma$',
            r'^patch_embed\.proj\.',
        ),
        pairs=tuple(own('')),
        required=('encoder',),
        either=EITHER,
        task='backbone',
        dead=(masking('mask_token'),),
        check=_check,
        settings=SETTINGS.format('bicubic-offset', ", and as timm's own code"),
    ),
    Layout(
        source='huggingface',
        marks=(r'^encoder\.layer\.\d+\.layer_scale1\.', r'^embeddings\.'),
        pairs=tuple(huggingface('')),
        required=('encoder',),
        either=EITHER,
        task='backbone',
        dead=(masking('embeddings.mask_token'),),
        aliases=ALIASES,
        settings=SETTINGS.format('bicubic', ''),
    ),
)
