"""MiDaS 3.1 on BEiT, Swin2, Swin, Next-ViT for ``TimmDPTBackbone``: isl-org/MiDaS@4545977,
midas/backbones/, and transformers' DPTForDepthEstimation (5.23, models/{beit,swinv2}).

isl-org's files have the names of timm 0.6.12, which are today's but for Swin's downsampling, or
those of isl-org/Next-ViT@45dbdf7, classification/nextvit.py, which counts blocks across stages.
"""

import re
from collections.abc import Iterable

from torch import Tensor

from mmdpt.checkpoints.layouts import decoder, isl_org, timm, transformers

from .layout import AFFINE, BATCH_NORM, NUM_TAPS, WEIGHT, Dead, Layout, Pair, StateDict

TIMM, ISL_ORG, HUGGINGFACE = 'backbone.timm_model', 'pretrained.model', 'backbone'
COMPUTED = ('relative_position_index', 'relative_coords_table', 'attn_mask')
SETTINGS = (
    '--cfg-options model.data_preprocessor.mean=127.5,127.5,127.5 '
    'model.data_preprocessor.std=127.5,127.5,127.5; model.backbone.model_name names the encoder'
)
MLP_AND_NORMS = {
    'norm1': 'layernorm_before',
    'norm2': 'layernorm_after',
    'mlp.fc1': 'mlp.fc1',
    'mlp.fc2': 'mlp.fc2',
}
NEXT_VIT = ((3, 3), (4, 4), (30, 5), (3, 3))
"""Of each stage of Next-ViT-L: the number of blocks, and after how many the last one attends."""


def _affine(table: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {f'{a}.{leaf}': (f'{b}.{leaf}',) for a, b in table.items() for leaf in AFFINE}


def _beit() -> dict[str, tuple[str, ...]]:
    """Give timm's names and transformers'."""
    block, layer, bias = 'blocks.{n}', 'beit.layers.{n}', 'relative_position_bias_table'
    return {
        'cls_token': ('beit.embeddings.cls_token',),
        **_affine(
            {
                'patch_embed.proj': 'beit.embeddings.patch_embeddings.projection',
                f'{block}.attn.proj': f'{layer}.attention.o_proj',
                **{f'{block}.{a}': f'{layer}.{b}' for a, b in MLP_AND_NORMS.items()},
            }
        ),
        f'{block}.attn.qkv.weight': tuple(f'{layer}.attention.{x}_proj.weight' for x in 'qkv'),
        **{f'{block}.attn.{x}_bias': (f'{layer}.attention.{x}_proj.bias',) for x in 'qv'},
        **{f'{block}.gamma_{i}': (f'{layer}.lambda_{i}',) for i in (1, 2)},
        f'{block}.attn.{bias}': (f'{layer}.relative_position_bias.{bias}',),
    }


def _swin2() -> dict[str, tuple[str, ...]]:
    """Give timm's names and transformers'."""
    block, layer = 'layers.{s}.blocks.{b}', 'encoder.layers.{s}.blocks.{b}'
    attention, position = f'{layer}.attention.self', 'continuous_position_bias_mlp'
    merging = {
        f'layers.{stage}.downsample': f'encoder.layers.{stage - 1}.downsample'
        for stage in range(1, NUM_TAPS)
    }
    return {
        **_affine(
            {
                'patch_embed.proj': 'embeddings.patch_embeddings.projection',
                'patch_embed.norm': 'embeddings.norm',
                f'{block}.attn.proj': f'{layer}.attention.output.dense',
                f'{block}.attn.cpb_mlp.0': f'{attention}.{position}.0',
                f'{block}.norm1': f'{layer}.layernorm_before',
                f'{block}.norm2': f'{layer}.layernorm_after',
                f'{block}.mlp.fc1': f'{layer}.intermediate.dense',
                f'{block}.mlp.fc2': f'{layer}.output.dense',
                **{f'{a}.norm': f'{b}.norm' for a, b in merging.items()},
            }
        ),
        **{f'{a}.reduction.weight': (f'{b}.reduction.weight',) for a, b in merging.items()},
        f'{block}.attn.cpb_mlp.2.weight': (f'{attention}.{position}.2.weight',),
        f'{block}.attn.logit_scale': (f'{attention}.logit_scale',),
        f'{block}.attn.qkv.weight': tuple(
            f'{attention}.{x}.weight' for x in ('query', 'key', 'value')
        ),
        f'{block}.attn.q_bias': (f'{attention}.query.bias',),
        f'{block}.attn.v_bias': (f'{attention}.value.bias',),
    }


def _swin() -> list[str]:
    """Give timm's names."""
    block = 'layers.{s}.blocks.{b}'
    affine = ['patch_embed.proj', 'patch_embed.norm', f'{block}.attn.qkv', f'{block}.attn.proj']
    affine += [f'{block}.{name}' for name in MLP_AND_NORMS]
    merging = [f'layers.{stage}.downsample' for stage in range(1, NUM_TAPS)]
    affine += [f'{name}.norm' for name in merging]
    return [
        *(f'{name}.{leaf}' for name in affine for leaf in AFFINE),
        *(f'{name}.reduction.weight' for name in merging),
        f'{block}.attn.relative_position_bias_table',
    ]


def _next_vit() -> list[str]:
    """Give timm's names of Next-ViT-L. The last block of every period attends."""
    convs, norms = [[f'stem.{layer}.{x}' for layer in range(4)] for x in ('conv', 'norm')]
    affine = []
    for s, (number, period) in enumerate(NEXT_VIT):
        for b in range(number):
            block = f'stages.{s}.blocks.{b}'
            affine += [f'{block}.mlp.fc1', f'{block}.mlp.fc2']
            convs += [f'{block}.mhca.group_conv3x3', f'{block}.mhca.projection']
            norms.append(f'{block}.mhca.norm')
            if b % period == 0:  # of another width than before
                convs.append(f'{block}.patch_embed.conv')
                norms.append(f'{block}.patch_embed.norm')
            if s == 0 or (b + 1) % period:
                norms.append(f'{block}.norm')
                continue
            affine += [f'{block}.e_mhsa.{x}' for x in ('q', 'k', 'v', 'proj')]
            convs.append(f'{block}.projection.conv')
            norms += [f'{block}.{x}' for x in ('norm1', 'norm2', 'projection.norm')]
            if s < NUM_TAPS - 1:  # the last stage's keys and values are not pooled
                norms.append(f'{block}.e_mhsa.norm')
    modules = ((convs, WEIGHT), (norms, BATCH_NORM), (affine, AFFINE))
    return [f'{x}.{leaf}' for names, leaves in modules for x in names for leaf in leaves]


def _own_name(name: str) -> str:
    """Give isl-org's name.

    A stage of Swin ends, not begins, with its downsampling; Next-ViT's blocks have one list.
    """
    block = re.match(r'stages\.(\d)\.blocks\.(\d+)\.(.+)', name)
    if block is not None:
        before = sum(number for number, _ in NEXT_VIT[: int(block[1])])
        return f'features.{before + int(block[2])}.{block[3].replace("mlp.fc", "mlp.conv")}'
    stage = re.match(r'layers\.(\d)\.downsample', name)
    return name if stage is None else f'layers.{int(stage[1]) - 1}{name[len("layers.0") :]}'


def _without_computed(state_dict: StateDict) -> dict[str, Tensor]:
    """Leave out what an encoder computes from its sizes."""
    return {k: v for k, v in state_dict.items() if not k.endswith(COMPUTED)}


def _unused(norm: str, last: str) -> list[Dead]:
    """Name what follows the last tap: a norm and a classifier, as wide as the block ``last``."""
    weight, bias = (f'{TIMM}.{last}.attn.proj.{leaf}' for leaf in AFFINE)
    return [
        *timm.unused_norm(f'{ISL_ORG}.{norm}', bias),
        Dead(f'{ISL_ORG}.head.weight', timm.UNUSED_CLASSIFIER, weight, rows=1000),
        Dead(f'{ISL_ORG}.head.bias', timm.UNUSED_CLASSIFIER, bias, rows=1000),
    ]


def _unused_of_next_vit() -> list[Dead]:
    block, head = f'{TIMM}.stages.3.blocks.2', f'{ISL_ORG}.proj_head.0'
    return [
        *(
            Dead(f'{ISL_ORG}.norm.{leaf}', timm.UNUSED_NORM, f'{block}.norm2.{leaf}', value=1)
            for leaf in BATCH_NORM
        ),
        Dead(f'{head}.weight', timm.UNUSED_CLASSIFIER, f'{block}.mlp.fc1.weight', rows=1000),
        Dead(f'{head}.bias', timm.UNUSED_CLASSIFIER, f'{block}.mlp.fc2.bias', rows=1000),
    ]


def _linear_classifier(state_dict: StateDict) -> dict[str, Tensor]:
    """Make Next-ViT's classifier, filled in the shape of a convolution, that of a linear layer."""
    return {
        k: v.flatten(1) if '.proj_head.' in k and v.ndim == 4 else v for k, v in state_dict.items()
    }


def _isl_org(
    marks: tuple[str, ...], names: Iterable[str], taps: range, unused: list[Dead]
) -> Layout:
    """Build the layout of isl-org's files.

    Args:
        marks: As in ``Layout``.
        names: timm's names.
        taps: Those that are reassembled.
        unused: What follows the last tap.
    """
    pairs = [Pair(f'{TIMM}.{name}', (f'{ISL_ORG}.{_own_name(name)}',), 'encoder') for name in names]
    return Layout(
        source='isl-org',
        marks=(*marks, r'^scratch\.refinenet4\.', isl_org.MARKS['depth']),
        pairs=(
            *pairs,
            *isl_org.reassemble(taps, scriptable=False),
            *isl_org.fusion(),
            *isl_org.TASKS['depth'],
        ),
        required=('encoder', *(['reassemble'] if taps else []), 'fusion', 'depth head'),
        task='depth',
        dead=(*unused, *isl_org.unused_unit('scratch.refinenet4.resConfUnit1', 'conv', 'bn')),
        prepare=_without_computed,
        restore=_linear_classifier,
        settings=SETTINGS,
    )


def _huggingface(
    marks: tuple[str, ...], table: dict, taps: range, aliases: tuple[tuple[str, str], ...] = ()
) -> Layout:
    pairs = [
        Pair(f'{TIMM}.{name}', tuple(f'{HUGGINGFACE}.{x}' for x in theirs), 'encoder')
        for name, theirs in table.items()
    ]
    return Layout(
        source='huggingface',
        marks=(*marks, r'^neck\.fusion_stage\.', r'^head\.head\.4\.'),
        pairs=(*pairs, *transformers.neck(taps), *decoder.depth_head('head.head')),
        required=('encoder', *(['reassemble'] if taps else []), 'fusion', 'depth head'),
        task='depth',
        dead=tuple(transformers.UNUSED_UNIT),
        aliases=aliases,
        prepare=_without_computed,
        settings=f"{SETTINGS}; resized='skip'",
    )


OLDER_BEIT = (
    (r'^backbone\.embeddings\.', 'backbone.beit.embeddings.'),
    (r'^backbone\.encoder\.layer\.', 'backbone.beit.layers.'),
    (r'\.attention\.attention\.query\.', '.attention.q_proj.'),
    (r'\.attention\.attention\.key\.', '.attention.k_proj.'),
    (r'\.attention\.attention\.value\.', '.attention.v_proj.'),
    (r'\.attention\.attention\.relative_position_bias\.', '.relative_position_bias.'),
    (r'\.attention\.output\.dense\.', '.attention.o_proj.'),
    (r'(layers\.\d+)\.intermediate\.dense\.', r'\1.mlp.fc1.'),
    (r'(layers\.\d+)\.output\.dense\.', r'\1.mlp.fc2.'),
)
"""The names of the released files, of before transformers' 5th version."""

LAYOUTS = (
    _isl_org(
        (r'^pretrained\.model\.blocks\.0\.attn\.relative_',),
        _beit(),
        range(NUM_TAPS),
        _unused('fc_norm', 'blocks.0'),
    ),
    _isl_org(
        (r'^pretrained\.model\.layers\.0\.blocks\.0\.attn\.cpb_mlp\.',),
        _swin2(),
        range(0),
        _unused('norm', 'layers.3.blocks.0'),
    ),
    _isl_org(
        (r'^pretrained\.model\.layers\.0\.blocks\.0\.attn\.relative_position_bias_table$',),
        _swin(),
        range(0),
        _unused('norm', 'layers.3.blocks.0'),
    ),
    _isl_org(
        (r'^pretrained\.model\.features\.0\.mhca\.',),
        _next_vit(),
        range(0),
        _unused_of_next_vit(),
    ),
    _huggingface(
        (r'^backbone\..*relative_position_bias_table$',), _beit(), range(NUM_TAPS), OLDER_BEIT
    ),
    _huggingface((r'^backbone\.encoder\.layers\.0\.blocks\.0\.',), _swin2(), range(0)),
)
