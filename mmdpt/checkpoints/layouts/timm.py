"""timm's ViT and R50+ViT as initial weights (timm/models/vision_transformer{,_hybrid}.py)."""

from collections.abc import Iterable

from .layout import AFFINE, WEIGHT, Dead, Layout, Pair, modules

UNUSED_CLASSIFIER = 'classifier of the pretraining'
UNUSED_NORM = 'DPT taps the blocks before the final norm'


def vit(prefix: str, hybrid: bool = False, mlp: bool = True) -> list[Pair]:
    """Pair our encoder with timm's names below ``prefix``, which isl-org and SMP have too."""
    block, layer = f'{prefix}blocks.{{n}}', 'backbone.layers.{n}'
    pairs = [
        Pair('backbone.cls_token', (f'{prefix}cls_token',), 'encoder'),
        Pair('backbone.pos_embed', (f'{prefix}pos_embed',), 'encoder'),
        *modules(
            'encoder',
            ('backbone.patch_embed.projection', f'{prefix}patch_embed.proj', AFFINE),
            (f'{layer}.ln1', f'{block}.norm1', AFFINE),
            (f'{layer}.attn.qkv', f'{block}.attn.qkv', AFFINE),
            (f'{layer}.attn.proj', f'{block}.attn.proj', AFFINE),
            (f'{layer}.ln2', f'{block}.norm2', AFFINE),
        ),
    ]
    if mlp:
        pairs += feed_forward(block, 'encoder')
    if hybrid:
        theirs = f'{prefix}patch_embed.backbone'
        pairs += stem(f'{theirs}.stem.conv', f'{theirs}.stem.norm', theirs, 'blocks')
    return pairs


def feed_forward(block: str, part: str) -> list[Pair]:
    """Pair the two linear layers of a block, whose names DINOv2 and transformers' Dinov2 share."""
    ours = 'backbone.layers.{n}.ffn.layers'
    return modules(
        part,
        (f'{ours}.0.0', f'{block}.mlp.fc1', AFFINE),
        (f'{ours}.1', f'{block}.mlp.fc2', AFFINE),
    )


def stem(conv: str, norm: str, prefix: str, blocks: str) -> list[Pair]:
    """Pair our ResNetV2 with the names of timm, and of transformers' BiT, which differ little."""
    ours, theirs = 'backbone.stem.stages.{s}', f'{prefix}.stages.{{s}}.{blocks}'
    return modules(
        'stem',
        ('backbone.stem.conv', conv, WEIGHT),
        ('backbone.stem.norm', norm, AFFINE),
        (f'{ours}.0.downsample.conv', f'{theirs}.0.downsample.conv', WEIGHT),
        (f'{ours}.0.downsample.norm', f'{theirs}.0.downsample.norm', AFFINE),
        *(
            row
            for i in (1, 2, 3)
            for row in (
                (f'{ours}.{{b}}.conv{i}', f'{theirs}.{{b}}.conv{i}', WEIGHT),
                (f'{ours}.{{b}}.norm{i}', f'{theirs}.{{b}}.norm{i}', AFFINE),
            )
        ),
    )


def unused(prefix: str, classes: int = 1000) -> list[Dead]:
    """Name what timm's ViT has beyond DPT's last tap: final norm and ImageNet classifier."""
    ln1, square = 'backbone.layers.0.ln1.weight', 'backbone.layers.0.attn.proj.weight'
    return [
        *unused_norm(f'{prefix}norm', ln1),
        Dead(f'{prefix}head.weight', UNUSED_CLASSIFIER, square, rows=classes),
        Dead(f'{prefix}head.bias', UNUSED_CLASSIFIER, ln1, rows=classes),
    ]


def unused_norm(name: str, like: str = 'backbone.layers.0.ln1.weight') -> list[Dead]:
    """Name the final norm, which comes after the last tap; ``like`` is a vector of its width."""
    return [
        Dead(f'{name}.weight', UNUSED_NORM, like, value=1),
        Dead(f'{name}.bias', UNUSED_NORM, like),
    ]


def parts(hybrid: bool, *more: str) -> tuple[str, ...]:
    """Name the parts that every encoder has, and ``more``."""
    return ('encoder', *(('stem',) if hybrid else ()), *more)


def pooling_heads() -> Iterable[Dead]:
    """Name timm's further classifier parts: jx_vit_*'s ``pre_logits``, average pooling's norm."""
    for name in ('pre_logits.fc', 'fc_norm'):
        for leaf in AFFINE:
            yield Dead(f'{name}.{leaf}', UNUSED_CLASSIFIER, 'backbone.layers.0.ln1.weight')


LAYOUTS = tuple(
    Layout(
        source='timm',
        marks=(
            r'^blocks\.0\.attn\.qkv\.',
            r'^patch_embed\.backbone\.' if hybrid else r'^patch_embed\.proj\.',
        ),
        pairs=tuple(vit('', hybrid)),
        required=parts(hybrid),
        task='backbone',
        dead=(*unused(''), *pooling_heads()),
        settings='--cfg-options model.backbone.interpolate_mode=bicubic-antialias; '
        "DPT was trained with 'bilinear'",
    )
    for hybrid in (True, False)
)
