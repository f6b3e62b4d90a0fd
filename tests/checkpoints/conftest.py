"""Tiny models of ours, and what isl-org/DPT's state dicts hold."""

import pytest
import torch

from mmdpt.models import DepthDPTHead, DPTHead, VisionTransformerDPT

DIMS, HEADS, LAYERS, CLASSES, CHANNELS = 48, 3, 5, 7, 32
WIDTHS = (16, 32, 48, 64)
OUT_INDICES = (0, 1, 3, 4)
STAGES, DEPTHS, BASE = (128, 256, 512), (1, 2, 2), 32


def randomize(model, seed=0):
    """Random weights and statistics."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    for name, buffer in model.named_buffers():
        if name.endswith('running_mean'):
            torch.nn.init.normal_(buffer, std=0.1)
        elif name.endswith('running_var'):
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
    return model.eval()


def build(task, hybrid=False, img_size=96, auxiliary=True, backbone=(), head=()):
    settings = dict(
        arch=dict(
            embed_dims=DIMS, num_layers=LAYERS, num_heads=HEADS, feedforward_channels=4 * DIMS
        ),
        img_size=img_size,
        out_indices=OUT_INDICES[2:] if hybrid else OUT_INDICES,
    )
    head_settings = dict(embed_dims=DIMS, reassemble_channels=WIDTHS, channels=CHANNELS)
    if hybrid:
        settings['stem'] = dict(
            type='ResNetV2', depths=DEPTHS, base_channels=BASE, standardization='var'
        )
        head_settings |= dict(
            embed_dims=(*STAGES[:2], DIMS, DIMS),
            reassemble_channels=(None, None, *WIDTHS[2:]),
            reassemble_scales=(1, 1, 1, 0.5),
            patch_size=4,
        )
    if task == 'segmentation':
        head_settings |= dict(
            num_classes=CLASSES,
            norm_cfg=dict(type='BN'),
            auxiliary_weight=0.2 if auxiliary else 0,
            loss_decode=dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True),
        )
    head_class = DepthDPTHead if task == 'depth' else DPTHead
    return randomize(
        torch.nn.ModuleDict(
            dict(
                backbone=VisionTransformerDPT(**(settings | dict(backbone))),
                decode_head=head_class(**(head_settings | dict(head))),
            )
        ),
        seed=1,
    )


def affine(name, *shape):
    return {f'{name}.weight': shape, f'{name}.bias': shape[:1]}


def batch_norm(name, width):
    leaves = ('weight', 'bias', 'running_mean', 'running_var')
    return {f'{name}.{leaf}': (width,) for leaf in leaves} | {f'{name}.num_batches_tracked': ()}


def isl_org_shapes(task, hybrid=False, scriptable=False):
    """Keys and shapes by reading dpt/{vit,blocks,models}.py and timm 0.4.5's ViT, tiny widths."""
    model, norm = 'pretrained.model', task == 'segmentation'
    shapes = {
        f'{model}.cls_token': (1, 1, DIMS),
        f'{model}.pos_embed': (1, 37, DIMS),
        **affine(f'{model}.norm', DIMS),
        **affine(f'{model}.head', 1000, DIMS),
    }
    if hybrid:
        resnet = f'{model}.patch_embed.backbone'
        shapes |= {f'{resnet}.stem.conv.weight': (BASE, 3, 7, 7)}
        shapes |= affine(f'{resnet}.stem.norm', BASE)
        before = BASE
        for s, (width, depth) in enumerate(zip(STAGES, DEPTHS, strict=True)):
            for b in range(depth):
                block, mid = f'{resnet}.stages.{s}.blocks.{b}', width // 4
                if b == 0:
                    shapes[f'{block}.downsample.conv.weight'] = (width, before, 1, 1)
                    shapes |= affine(f'{block}.downsample.norm', width)
                shapes |= {
                    f'{block}.conv1.weight': (mid, before, 1, 1),
                    f'{block}.conv2.weight': (mid, mid, 3, 3),
                    f'{block}.conv3.weight': (width, mid, 1, 1),
                    **affine(f'{block}.norm1', mid),
                    **affine(f'{block}.norm2', mid),
                    **affine(f'{block}.norm3', width),
                }
                before = width
        shapes |= affine(f'{model}.patch_embed.proj', DIMS, before, 1, 1)
    else:
        shapes |= affine(f'{model}.patch_embed.proj', DIMS, 3, 16, 16)
    for n in range(LAYERS):
        block = f'{model}.blocks.{n}'
        shapes |= {
            **affine(f'{block}.norm1', DIMS),
            **affine(f'{block}.attn.qkv', 3 * DIMS, DIMS),
            **affine(f'{block}.attn.proj', DIMS, DIMS),
            **affine(f'{block}.norm2', DIMS),
            **affine(f'{block}.mlp.fc1', 4 * DIMS, DIMS),
            **affine(f'{block}.mlp.fc2', DIMS, 4 * DIMS),
        }
    for i in (3, 4) if hybrid else (1, 2, 3, 4):
        width = WIDTHS[i - 1]
        post = f'pretrained.act_postprocess{i}'
        readout = f'pretrained.readout_oper{i}.0' if scriptable else f'{post}.0'
        first, second = ('0', '1') if scriptable else ('3', '4')
        shapes |= affine(f'{readout}.project.0', DIMS, 2 * DIMS)
        shapes |= affine(f'{post}.{first}', width, DIMS, 1, 1)
        if i != 3:
            side = {1: 4, 2: 2, 4: 3}[i]
            shapes |= affine(f'{post}.{second}', width, width, side, side)
    for i in (1, 2, 3, 4):
        width = STAGES[i - 1] if hybrid and i < 3 else WIDTHS[i - 1]
        shapes[f'scratch.layer{i}_rn.weight'] = (CHANNELS, width, 3, 3)
        refine = f'scratch.refinenet{i}'
        shapes |= affine(f'{refine}.out_conv', CHANNELS, CHANNELS, 1, 1)
        for unit in (1, 2):
            for conv in (1, 2):
                name = f'{refine}.resConfUnit{unit}.conv{conv}'
                shapes |= affine(name, CHANNELS, CHANNELS, 3, 3)
                if norm:
                    del shapes[f'{name}.bias']
                    shapes |= batch_norm(f'{refine}.resConfUnit{unit}.bn{conv}', CHANNELS)
    if task == 'depth':
        shapes |= affine('scratch.output_conv.0', CHANNELS // 2, CHANNELS, 3, 3)
        shapes |= affine('scratch.output_conv.2', 32, CHANNELS // 2, 3, 3)
        shapes |= affine('scratch.output_conv.4', 1, 32, 1, 1)
    else:
        for head in ('scratch.output_conv', *(() if scriptable else ('auxlayer',))):
            shapes[f'{head}.0.weight'] = (CHANNELS, CHANNELS, 3, 3)
            shapes |= batch_norm(f'{head}.1', CHANNELS)
            shapes |= affine(f'{head}.4', CLASSES, CHANNELS, 1, 1)
    return shapes


def isl_org_weights(*args, **kwargs):
    torch.manual_seed(2)
    return {
        key: torch.tensor(7) if key.endswith('tracked') else torch.randn(shape)
        for key, shape in isl_org_shapes(*args, **kwargs).items()
    }


@pytest.fixture(scope='session')
def build_model():
    """Build a tiny model of ours, with random weights."""
    return build


@pytest.fixture(scope='session')
def random_weights():
    """Give a model random weights and statistics."""
    return randomize


@pytest.fixture
def isl_org_state():
    """Build a state dict with isl-org's keys."""
    return isl_org_weights
