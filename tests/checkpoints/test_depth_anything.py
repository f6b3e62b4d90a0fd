"""Depth Anything's and DINOv2's own files, and those of older transformers."""

import pytest
import timm
import tiny
import torch
from transformers import Dinov2Backbone, Dinov2Config

from mmdpt.checkpoints import compare, to_ours
from mmdpt.errors import InputError

DIMS, LAYERS, CHANNELS = 48, 5, 32
WIDTHS = (16, 32, 48, 64)


def affine(name, *shape):
    return {f'{name}.weight': shape, f'{name}.bias': shape[:1]}


def encoder_shapes(prefix, swiglu=False, registers=0):
    """Keys and shapes by reading Depth-Anything-V2's dinov2.py and dinov2_layers/."""
    shapes = {
        f'{prefix}cls_token': (1, 1, DIMS),
        f'{prefix}pos_embed': (1, 37, DIMS),
        f'{prefix}mask_token': (1, DIMS),
        **affine(f'{prefix}patch_embed.proj', DIMS, 3, 16, 16),
        **affine(f'{prefix}norm', DIMS),
    }
    if registers:
        shapes[f'{prefix}register_tokens'] = (1, registers, DIMS)
    for n in range(LAYERS):
        block = f'{prefix}blocks.{n}'
        shapes |= {
            **affine(f'{block}.norm1', DIMS),
            **affine(f'{block}.attn.qkv', 3 * DIMS, DIMS),
            **affine(f'{block}.attn.proj', DIMS, DIMS),
            f'{block}.ls1.gamma': (DIMS,),
            **affine(f'{block}.norm2', DIMS),
            f'{block}.ls2.gamma': (DIMS,),
        }
        if swiglu:
            shapes |= affine(f'{block}.mlp.w12', 256, DIMS) | affine(f'{block}.mlp.w3', DIMS, 128)
        else:
            shapes |= affine(f'{block}.mlp.fc1', 4 * DIMS, DIMS)
            shapes |= affine(f'{block}.mlp.fc2', DIMS, 4 * DIMS)
    return shapes


def depth_anything_shapes():
    """Keys and shapes by reading Depth-Anything-V2's dpt.py and util/blocks.py."""
    shapes = encoder_shapes('pretrained.')
    head = 'depth_head'
    for k, (width, side) in enumerate(zip(WIDTHS, (4, 2, None, 3), strict=True)):
        shapes |= affine(f'{head}.projects.{k}', width, DIMS, 1, 1)
        if side:
            shapes |= affine(f'{head}.resize_layers.{k}', width, width, side, side)
        shapes[f'{head}.scratch.layer{k + 1}_rn.weight'] = (CHANNELS, width, 3, 3)
        refine = f'{head}.scratch.refinenet{k + 1}'
        shapes |= affine(f'{refine}.out_conv', CHANNELS, CHANNELS, 1, 1)
        for unit in (1, 2):
            for conv in (1, 2):
                name = f'{refine}.resConfUnit{unit}.conv{conv}'
                shapes |= affine(name, CHANNELS, CHANNELS, 3, 3)
    shapes |= affine(f'{head}.scratch.output_conv1', CHANNELS // 2, CHANNELS, 3, 3)
    shapes |= affine(f'{head}.scratch.output_conv2.0', 32, CHANNELS // 2, 3, 3)
    shapes |= affine(f'{head}.scratch.output_conv2.2', 1, 32, 1, 1)
    return shapes


def random_state(shapes):
    torch.manual_seed(0)
    return {key: torch.randn(shape) for key, shape in shapes.items()}


def dinov2_backbone(**kwargs):
    return dict(norm_taps=True, layer_scale_init_value=1.0, **kwargs)


def test_its_own_keys_fill_our_model(build_model):
    theirs = random_state(depth_anything_shapes())
    converted, report = to_ours(theirs)
    assert (report.source, report.task) == ('depth-anything', 'depth')
    model = build_model('depth', backbone=dinov2_backbone(), head=dict(readout_type='ignore'))
    mismatch = compare(model, converted)
    assert mismatch.fills and not mismatch.unexpected
    unit = 'depth_head.scratch.refinenet4.resConfUnit1.'
    assert set(report.dropped) == {
        'pretrained.mask_token',
        *(key for key in theirs if key.startswith(unit)),
    }
    for our_key, their_key in (
        ('backbone.ln1.weight', 'pretrained.norm.weight'),
        ('backbone.layers.3.ffn.gamma2.weight', 'pretrained.blocks.3.ls2.gamma'),
        ('decode_head.predictor.conv3.bias', 'depth_head.scratch.output_conv2.2.bias'),
        (
            'decode_head.fusion.blocks.3.project.weight',
            'depth_head.scratch.refinenet1.out_conv.weight',
        ),
    ):
        assert torch.equal(converted[our_key], theirs[their_key]), our_key


@pytest.mark.parametrize(('swiglu', 'registers'), [(False, 0), (False, 4), (True, 0), (True, 4)])
def test_dinov2_own_keys_fill_our_backbone(build_model, swiglu, registers):
    theirs = random_state(encoder_shapes('', swiglu, registers))
    converted, report = to_ours(theirs)
    assert report.task == 'backbone' and set(report.dropped) == {'mask_token'}
    settings = dinov2_backbone(
        num_register_tokens=registers,
        layer_cfgs=dict(ffn_type='swiglu_fused') if swiglu else {},
    )
    backbone = build_model('depth', backbone=settings)['backbone']
    weights = {key.removeprefix('backbone.'): value for key, value in converted.items()}
    mismatch = compare(backbone, weights)
    assert mismatch.fills and not mismatch.unexpected


def test_a_lacking_feed_forward_is_named():
    state = random_state(encoder_shapes(''))
    state = {key: value for key, value in state.items() if '.mlp.' not in key}
    with pytest.raises(InputError, match=r'20 missing: blocks\.0\.mlp\.fc1\.weight'):
        to_ours(state)


@pytest.mark.parametrize('swiglu', [False, True])
def test_older_names_of_transformers_are_read(swiglu):
    """facebook/dinov2-* and the Depth Anything files were written before transformers 5."""
    config = Dinov2Config(
        hidden_size=DIMS,
        num_hidden_layers=2,
        num_attention_heads=3,
        image_size=70,
        patch_size=14,
        use_swiglu_ffn=swiglu,
    )
    state = tiny.draw_weights(Dinov2Backbone(config)).state_dict()
    older = {}
    for key, value in state.items():
        for new, old in zip('qkvo', ('query', 'key', 'value', None), strict=True):
            place = 'output.dense' if old is None else f'attention.{old}'
            key = key.replace(f'attention.{new}_proj', f'attention.{place}')
        older[key.replace('mlp.down_proj', 'mlp.weights_out')] = value
    if swiglu:
        for n in range(2):
            for leaf in ('weight', 'bias'):
                mlp = f'encoder.layer.{n}.mlp'
                pieces = [older.pop(f'{mlp}.{name}.{leaf}') for name in ('gate_proj', 'up_proj')]
                older[f'{mlp}.weights_in.{leaf}'] = torch.cat(pieces)
    assert older.keys() != state.keys()
    expected, converted = to_ours(state)[0], to_ours(older)[0]
    assert converted.keys() == expected.keys()
    assert all(torch.equal(converted[key], expected[key]) for key in expected)


def test_timm_registers_are_refused():
    model = timm.create_model(
        'vit_small_patch14_reg4_dinov2', img_size=70, embed_dim=DIMS, depth=2, num_heads=3
    )
    with pytest.raises(InputError, match='adds no position to the class token'):
        to_ours(model.state_dict())
