"""Depth Anything's and DINOv2's own files, and those of older transformers."""

import runpy
from pathlib import Path

import pytest
import timm
import tiny
import torch
from families import OLDER_ATTENTION, renamed, vit
from tiny_dpt import narrow
from transformers import Dinov2Backbone, Dinov2Config

from mmdpt.checkpoints import to_ours
from mmdpt.errors import InputError

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_depth_anything_3.py')))
COARSEST = 'depth_head.scratch.refinenet4.resConfUnit'


@pytest.fixture
def own(depth_anything_3):
    """V1's and V2's names (Depth-Anything-V2@a561b84, dpt.py and dinov2.py), and random weights.

    Beside those of 3 they have a token for masked patches and one more unit, but no sky.
    """
    state = {'pretrained.mask_token': torch.randn(1, REFERENCE['DIMS'])}
    for key, value in depth_anything_3[0].items():
        key = key.replace('model.backbone.', '').replace('model.head.', 'depth_head.')
        if 'sky' not in key:
            state[key] = torch.randn_like(value)
        if key.startswith(f'{COARSEST}2'):
            state[key.replace(f'{COARSEST}2', f'{COARSEST}1')] = torch.randn_like(value)
    return state


def build(**settings):
    return narrow('depth-anything-v2-large', REFERENCE, 24, REFERENCE['WIDTHS'], settings)


def test_its_own_keys_fill_our_model(own):
    converted, report = to_ours(own)
    assert (report.source, report.task) == ('depth-anything', 'depth')
    build().load_state_dict(converted)
    unit = {key for key in own if key.startswith(f'{COARSEST}1')}
    assert len(unit) == 4 and report.dropped.keys() == unit | {'pretrained.mask_token'}
    for our_key, their_key in (
        ('backbone.ln1.weight', 'pretrained.norm.weight'),
        ('backbone.layers.3.ffn.gamma2.weight', 'pretrained.blocks.3.ls2.gamma'),
        ('decode_head.predictor.conv3.bias', 'depth_head.scratch.output_conv2.2.bias'),
        (
            'decode_head.fusion.blocks.3.project.weight',
            'depth_head.scratch.refinenet1.out_conv.weight',
        ),
    ):
        assert torch.equal(converted[our_key], own[their_key]), our_key


@pytest.fixture
def encoder(own):
    """DINOv2's own file."""
    name = 'pretrained.'
    return {key.removeprefix(name): value for key, value in own.items() if key.startswith(name)}


@pytest.mark.parametrize(('swiglu', 'registers'), [(False, 0), (False, 4), (True, 0), (True, 4)])
def test_dinov2_own_keys_fill_our_backbone(encoder, swiglu, registers):
    dims, settings = REFERENCE['DIMS'], {'backbone.num_register_tokens': registers}
    if registers:
        encoder['register_tokens'] = torch.randn(1, registers, dims)
    if swiglu:  # of 128 hidden channels two thirds, to a multiple of 8
        settings['backbone.layer_cfgs'] = dict(ffn_type='swiglu_fused')
        encoder = {key: value for key, value in encoder.items() if '.mlp.' not in key}
        for name, shape in (('w12', (2 * 88, dims)), ('w3', (dims, 88))):
            for block in range(24):
                encoder[f'blocks.{block}.mlp.{name}.weight'] = torch.randn(shape)
                encoder[f'blocks.{block}.mlp.{name}.bias'] = torch.randn(shape[0])
    converted, report = to_ours(encoder)
    assert report.task == 'backbone' and report.dropped.keys() == {'mask_token'}
    weights = {key.removeprefix('backbone.'): value for key, value in converted.items()}
    build(**settings).backbone.load_state_dict(weights)


def test_a_lacking_feed_forward_is_named(encoder):
    state = {key: value for key, value in encoder.items() if '.mlp.' not in key}
    with pytest.raises(InputError, match=r'96 missing: blocks\.0\.mlp\.fc1\.weight'):
        to_ours(state)


@pytest.mark.parametrize('swiglu', [False, True])
def test_older_names_of_transformers_are_read(swiglu):
    """facebook/dinov2-* and the Depth Anything files were written before transformers 5."""
    config = Dinov2Config(**vit('tiny'), image_size=70, patch_size=14, use_swiglu_ffn=swiglu)
    state = tiny.draw_weights(Dinov2Backbone(config)).state_dict()
    older = renamed(state, *OLDER_ATTENTION, ('mlp.down_proj', 'mlp.weights_out'))
    if swiglu:
        for n in range(5):
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
        'vit_small_patch14_reg4_dinov2', img_size=70, embed_dim=48, depth=2, num_heads=3
    )
    with pytest.raises(InputError, match='adds no position to the class token'):
        to_ours(model.state_dict())
