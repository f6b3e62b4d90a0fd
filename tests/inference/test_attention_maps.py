"""Attention maps are what the layers compute, over the pixels that they belong to."""

from contextlib import contextmanager

import numpy as np
import pytest
import tiny
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdpt.errors import InputError
from mmdpt.inference.attention_maps import (
    Attention,
    attention_panel,
    attention_weights,
    parse_query,
    read_attention,
    spread,
)
from mmdpt.models.backbones.vision_transformer_dpt import VisionTransformerDPT

STEM = dict(type='ResNetV2', depths=(1, 1, 1), base_channels=32)
BACKBONES = dict(
    vit=dict(img_size=64),
    hybrid=dict(img_size=64, stem=STEM, out_indices=(2, 3)),
    dinov2=dict(
        img_size=70,
        patch_size=14,
        norm_taps=True,
        interpolate_mode='bicubic-offset',
        num_register_tokens=3,
        layer_scale_init_value=1.0,
    ),
    lora=dict(img_size=64, lora=dict(rank=2)),
    no_readout=dict(img_size=64, with_cls_token=False, num_register_tokens=2),
)


class Model(torch.nn.Module):
    """What attention needs of a segmentor: encoder, config and data preprocessor."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        steps = ('LoadImageFromFile', 'PackDepthInputs')
        self.cfg = Config(dict(predict_pipeline=[dict(type=step) for step in steps]))

    def data_preprocessor(self, data, training):
        return dict(inputs=torch.stack(data['inputs']).flip(1).float() / 127.5 - 1)


def build(name):
    init_default_scope('mmdpt')
    torch.manual_seed(0)
    settings = dict(out_indices=tiny.TAPS) | BACKBONES[name]
    backbone = VisionTransformerDPT(tiny.LAYERS, **settings).eval()
    for parameter in backbone.parameters():  # far from even attention, and LoRA's updates not zero
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return Model(backbone.requires_grad_(False))


def picture(height=50, width=70):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@contextmanager
def inputs_of(module):
    """List what the module is given within the block."""
    seen = []
    with module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])):
        yield seen


@pytest.mark.parametrize('name', BACKBONES)
def test_weights_give_what_the_layer_attends_to(name):
    """weights @ v, through the layer's own projection, is the output of its fused attention."""
    attention = build(name).backbone.layers[1].attn
    tokens = torch.randn(2, 17, 24)
    weights = attention_weights(attention, tokens, range(17))
    assert weights.shape == (2, 2, 17, 17)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 17))
    assert weights.max() > 0.2  # no even attention of 1 / 17
    torch.testing.assert_close(attention_weights(attention, tokens, [7, 2]), weights[:, :, [7, 2]])
    value = attention.qkv(tokens).reshape(2, 17, 3, 2, 12)[:, :, 2].transpose(1, 2)
    attended = (weights @ value).transpose(1, 2).reshape(2, 17, 24)
    output = attention.gamma1(attention.proj(attended))
    torch.testing.assert_close(output, attention(tokens), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ('name', 'patch', 'registers'),
    [('vit', 16, 0), ('hybrid', 16, 0), ('dinov2', 14, 3), ('no_readout', 16, 2)],
)
def test_map_is_the_row_of_the_query_of_a_forward_pass(name, patch, registers):
    """50 x 70 px: pixel (40, 33) lies in patch column 40 // p of row 33 // p, 5 a row."""
    model = build(name)
    with inputs_of(model.backbone.layers[2].attn) as seen:
        ((found,),) = read_attention(model, picture(), layers=[2], queries=[(40, 33)], head=1)
    readouts = 0 if name == 'no_readout' else 1
    row = readouts + registers + (33 // patch) * 5 + 40 // patch
    weights = attention_weights(model.backbone.layers[2].attn, seen[0], [row])[0, 1, 0]
    assert found.patches.shape == (4, 5)
    np.testing.assert_allclose(found.patches.ravel(), weights[readouts + registers :])
    assert found.readout == pytest.approx(float(weights[:readouts].sum()))
    assert found.registers == pytest.approx(
        float(weights[readouts : readouts + registers].sum()), abs=1e-9
    )
    assert found.patches.sum() + found.readout + found.registers == pytest.approx(1, abs=1e-5)
    assert found.extent == (50 / patch, 70 / patch)


def test_mean_over_heads_and_the_readout_token_asks_first():
    model, image = build('dinov2'), picture()
    with inputs_of(model.backbone.layers[3].attn) as tokens:
        ((mean,),) = read_attention(model, image, [3], ['readout'])
    heads = [read_attention(model, image, [3], ['readout'], head)[0][0] for head in (0, 1)]
    assert np.abs(heads[0].patches - heads[1].patches).max() > 1e-3
    np.testing.assert_allclose(mean.patches, (heads[0].patches + heads[1].patches) / 2, rtol=1e-5)
    weights = attention_weights(model.backbone.layers[3].attn, tokens[0], [0])[0, :, 0].mean(0)
    np.testing.assert_allclose(mean.patches.ravel(), weights[4:], rtol=1e-5)


def test_by_default_the_corners_in_each_quarter_and_nothing_is_left_on_the_model():
    model = build('vit')
    found = read_attention(model, picture())
    assert [[(one.query, one.layer) for one in row] for row in found] == [
        [(query, layer) for layer in (0, 1, 2, 3)] for query in ((0, 0), (69, 49))
    ]
    model.backbone.layers[1].register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        read_attention(model, picture())
    for module in (*(layer.attn for layer in model.backbone.layers), model.backbone.patch_embed):
        assert not module._forward_hooks and not module._forward_pre_hooks


@pytest.mark.parametrize(
    ('name', 'arguments', 'message'),
    [
        ('vit', dict(layers=[4]), 'no layer 4: the model has layers 0 to 3'),
        ('vit', dict(layers=[-1]), 'no layer -1'),
        ('vit', dict(head=2), 'no head 2: layer 0 has heads 0 to 1'),
        ('vit', dict(queries=[(70, 0)]), 'query 70,0 is outside of a.png, 70 x 50 px'),
        ('vit', dict(queries=[(0, 50)]), 'query 0,50 is outside'),
        ('no_readout', dict(queries=['readout']), 'no readout token'),
    ],
)
def test_what_the_model_or_image_lacks_is_named(name, arguments, message):
    with pytest.raises(InputError, match=message):
        read_attention(build(name), picture(), name='a.png', **arguments)
    with pytest.raises(InputError, match='the model has Identity'):
        read_attention(Model(torch.nn.Identity()), picture())


def test_query_is_read_and_another_refused():
    assert parse_query('3,40') == parse_query('3, 40') == (3, 40)
    assert parse_query('readout') == 'readout'
    for text in ('3', '3,4,5', 'a,b', '-1,4', '1.5,2', 'class', ''):
        with pytest.raises(InputError, match=r"a query is X,Y \[px\].*or 'readout'"):
            parse_query(text)


def attention(patches, extent, query=(0, 0), **shares):
    values = np.array(patches, np.float32)
    return Attention(5, query, None, values, extent, **{'readout': 0, 'registers': 0, **shares})


def test_spread_interpolates_between_centres_of_patches_and_leaves_padding_out():
    """Two patches over 8 px: centres at 2 and 6, straight between them, even outside."""
    (row,) = spread(attention([[0.0, 0.8]], (1.0, 2.0)), (8, 1))
    np.testing.assert_allclose(row, [0, 0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.8], atol=1e-6)
    # of the second patch only half is image: 12 px are 1.5 patches of 8 px
    (row,) = spread(attention([[0.0, 0.8]], (0.5, 1.5)), (12, 1))
    np.testing.assert_allclose(row, [0] * 4 + [0.05 + 0.1 * k for k in range(8)], atol=0.011)


def test_panel_has_a_row_a_query_and_a_column_a_layer():
    rows = [[attention(np.eye(3) / 3, (3.0, 3.0), query)] * 2 for query in ((0, 0), 'readout')]
    panel = attention_panel(np.full((30, 40, 3), 200, np.uint8), rows)
    row = 16 + 270 + 34
    assert panel.shape == (2 * row + 4, 3 * 360 + 2 * 4, 3)
    first, second = panel[16:286, 364:724], panel[row + 20 : row + 290, 364:724]
    changed = np.argwhere((first != second).any(axis=2))
    assert len(changed) > 0 and changed.max() < 16  # only the ring around pixel (0, 0)


def test_greatest_share_has_the_last_colour():
    """viridis ends in (253, 231, 37), three quarters of it over a quarter of the grey image."""
    image = np.full((36, 36, 3), 100, np.uint8)
    panel = attention_panel(image, [[attention([[0.0, 0.1]], (1.0, 2.0), 'readout')]])
    for column, colour in ((340, (253, 231, 37)), (20, (68, 1, 84))):
        assert panel[100, 364 + column].tolist() == [round(0.75 * c + 25) for c in colour]
