"""transformers' DPT (transformers 5.23, models/dpt/modeling_dpt.py), ViT and hybrid."""

from collections.abc import Sequence

from mmdpt.checkpoints.layouts import decoder, isl_org, timm

from .layout import AFFINE, NUM_TAPS, Layout, Pair, modules

QKV = ('query', 'key', 'value')
BIT = 'dpt.embeddings.backbone.bit'
UNUSED_UNIT = isl_org.unused_unit(
    'neck.fusion_stage.layers.0.residual_layer1', 'convolution', 'batch_norm'
)
"""Of the coarsest fusion, in every model of transformers with DPT's neck."""


def encoder(hybrid: bool) -> list[Pair]:
    """Pair our encoder with DPTModel."""
    theirs, layer = 'dpt.encoder.layer.{n}', 'backbone.layers.{n}'
    projection = 'dpt.embeddings.' + ('projection' if hybrid else 'patch_embeddings.projection')
    return [
        Pair('backbone.cls_token', ('dpt.embeddings.cls_token',), 'encoder'),
        Pair('backbone.pos_embed', ('dpt.embeddings.position_embeddings',), 'encoder'),
        *modules(
            'encoder',
            ('backbone.patch_embed.projection', projection, AFFINE),
            (f'{layer}.ln1', f'{theirs}.layernorm_before', AFFINE),
            (f'{layer}.attn.proj', f'{theirs}.attention.output.dense', AFFINE),
            (f'{layer}.ln2', f'{theirs}.layernorm_after', AFFINE),
            (f'{layer}.ffn.layers.0.0', f'{theirs}.intermediate.dense', AFFINE),
            (f'{layer}.ffn.layers.1', f'{theirs}.output.dense', AFFINE),
        ),
        *(
            Pair(
                f'{layer}.attn.qkv.{leaf}',
                tuple(f'{theirs}.attention.attention.{x}.{leaf}' for x in QKV),
                'encoder',
            )
            for leaf in AFFINE
        ),
        *(
            timm.stem(
                f'{BIT}.embedder.convolution', f'{BIT}.embedder.norm', f'{BIT}.encoder', 'layers'
            )
            if hybrid
            else ()
        ),
    ]


def neck(taps: Sequence[int]) -> list[Pair]:
    """Pair fusion, and the reassembling of those taps that have it, with DPTNeck."""
    stage, block = 'neck.reassemble_stage', 'neck.fusion_stage.layers.{k}'
    return [
        *decoder.reassemble(
            taps,
            f'{stage}.readout_projects.{{k}}.0',
            f'{stage}.layers.{{k}}.projection',
            f'{stage}.layers.{{k}}.resize',
        ),
        *decoder.fusion(
            'neck.convs.{k}',
            f'{block}.projection',
            f'{block}.residual_layer{{u}}',
            'convolution{i}',
            'batch_norm{i}',
        ),
    ]


TASKS = decoder.heads('head.head', 'auxiliary_head.head')
MARKS = {'depth': r'^head\.head\.2\.', 'segmentation': r'^head\.head\.1\.'}


def _layout(task: str, hybrid: bool) -> Layout:
    return Layout(
        source='huggingface',
        marks=(
            r'^dpt\.encoder\.layer\.',
            r'^dpt\.embeddings\.' + ('backbone' if hybrid else 'patch_embeddings'),
            r'^neck\.fusion_stage\.',
            MARKS[task],
        ),
        pairs=(
            *encoder(hybrid),
            *neck((2, 3) if hybrid else range(NUM_TAPS)),
            *TASKS[task],
        ),
        required=timm.parts(hybrid, 'reassemble', 'fusion', f'{task} head'),
        task=task,
        dead=(
            *timm.unused_norm('dpt.layernorm'),
            *UNUSED_UNIT,
        ),
        settings='--cfg-options model.backbone.interpolate_mode=bilinear '
        + ('model.backbone.stem.standardization=var ' if hybrid else '')
        + 'model.backbone.norm_cfg.type=LN model.backbone.norm_cfg.eps=1e-12; '
        'eps is layer_norm_eps of its config.json',
    )


LAYOUTS = tuple(_layout(task, hybrid) for hybrid in (True, False) for task in TASKS)
