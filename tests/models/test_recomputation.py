"""What is computed twice in training instead of kept changes no number."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from torch import nn

from mmdpt.models import VisionTransformerDPT
from mmdpt.models.backbones.vit_blocks import EncoderLayer
from mmdpt.models.decode_heads.dpt_head import ReLUDropout
from mmdpt.models.layers.fusion import convolve_upsampled


def gradients(module, output):
    module.zero_grad()
    output.square().sum().backward()
    return {name: p.grad.clone() for name, p in module.named_parameters()}


@pytest.mark.parametrize(
    'settings',
    [
        {},
        dict(layer_scale_init_value=0.1),
        dict(ffn_type='swiglu_fused'),
        dict(drop_rate=0.3, drop_path_rate=0.5),
    ],
)
def test_encoder_layer_equals_mmpretrains(settings):
    torch.manual_seed(0)
    theirs = TransformerEncoderLayer(24, 3, 48, **settings)
    ours = copy.deepcopy(theirs)
    ours.__class__ = EncoderLayer
    tokens = torch.randn(2, 11, 24)
    inputs = [tokens.clone().requires_grad_() for _ in range(2)]
    results = []
    for layer, x in zip((ours, theirs), inputs, strict=True):
        torch.manual_seed(1)
        out = layer(x)
        results.append((out, gradients(layer, out), x.grad))
    torch.testing.assert_close(*results)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(tokens), theirs.eval()(tokens))


def kept(layer, tokens, width):
    """Count the maps of a width that operations keep for the backward pass."""
    shapes = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: shapes.append(tuple(x.shape)) or x, lambda x: x
    ):
        layer(tokens)
    return sum(shape[-2:] == (tokens.shape[1], width) for shape in shapes)


def test_encoder_layer_keeps_no_gelu():
    backbone = VisionTransformerDPT(
        dict(embed_dims=24, num_layers=4, num_heads=3, feedforward_channels=96),
        img_size=32,
        out_indices=(0, 1, 2, 3),
    )
    theirs = TransformerEncoderLayer(24, 3, 96)
    tokens = torch.randn(1, 5, 24)
    assert kept(theirs, tokens, 96) == 2  # before and after the GELU
    assert kept(backbone.layers[0], tokens, 96) == 1


@pytest.mark.parametrize('size', [(6, 8), (7, 3), (2, 2)])
def test_upsampled_convolution_has_the_plain_gradients(size):
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 5, 3, padding=1)
    x = torch.randn(2, 4, 3, 4)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    ours = convolve_upsampled(conv, inputs[0], size)
    ours_of = gradients(conv, ours)
    full = F.interpolate(inputs[1], size, mode='bilinear', align_corners=True)
    plain = conv(full)
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(ours_of, gradients(conv, plain))
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)


def test_dropped_relu_scales_what_stays_and_passes_its_gradient_alone():
    torch.manual_seed(0)
    layer = ReLUDropout(0.25)
    x = torch.randn(1, 8, 32, 32, requires_grad=True)
    out = layer(x)
    stays = out > 0
    torch.testing.assert_close(out[stays], x[stays] / 0.75)
    positive = x > 0
    assert abs(stays.sum() / positive.sum() - 0.75) < 0.03
    assert not (stays & ~positive).any()
    weight = torch.randn_like(x)
    (out * weight).sum().backward()
    torch.testing.assert_close(x.grad, torch.where(stays, weight / 0.75, 0.0))


@pytest.mark.parametrize(('p', 'training'), [(0.0, True), (0.5, False)])
def test_nothing_is_dropped_in_evaluation_or_at_zero(p, training):
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(ReLUDropout(p).train(training)(x), x.relu())


def test_everything_may_be_dropped():
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    out = ReLUDropout(1.0)(x)
    out.sum().backward()
    assert not out.any() and not x.grad.any()


@pytest.mark.parametrize('p', [-0.1, 1.1])
def test_a_ratio_out_of_range_is_refused(p):
    with pytest.raises(ValueError, match=f'got {p}'):
        ReLUDropout(p)
