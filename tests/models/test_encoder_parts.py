"""The encoders' parts: the Vision Transformer's blocks and positions, and the ResNet stem."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import AdaptivePadding
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer

from mmdpt.models.backbones.resnetv2 import MaxPoolSame, ResNetV2, StdConv2d, standardize
from mmdpt.models.backbones.vit_blocks import (
    INTERPOLATIONS,
    SHORT,
    EncoderLayer,
    PadToMultiple,
    attend,
    resize_position_embedding,
)
from mmdpt.models.layers import recomputation


@pytest.mark.parametrize('size', [(1, 1), (31, 33), (32, 48), (47, 16)])
def test_pads_as_mmcv_does(size):
    image = torch.randn(2, 3, *size)
    assert torch.equal(PadToMultiple(16)(image), AdaptivePadding(16, 16)(image))


@pytest.fixture
def in_graph(monkeypatch):
    """Interpolate as in a compiled or exported graph."""

    def resize(*arguments):
        with monkeypatch.context() as patched:
            patched.setattr(torch.compiler, 'is_compiling', lambda: True)
            return resize_position_embedding(*arguments)

    return resize


@pytest.mark.parametrize('grid', [(9, 9), (5, 8), (8, 5), (3, 2), (1, 14), (5, 5), (25, 1)])
@pytest.mark.parametrize('mode', INTERPOLATIONS)
def test_graphs_and_eager_mode_agree(in_graph, mode, grid):
    torch.manual_seed(0)
    embedding = torch.randn(1, 1 + 25, 6)
    eager = resize_position_embedding(embedding, (5, 5), grid, mode)
    torch.testing.assert_close(in_graph(embedding, (5, 5), grid, mode), eager, rtol=0, atol=4e-6)


@pytest.mark.parametrize('mode', INTERPOLATIONS)
def test_the_same_grid_keeps_every_value(in_graph, mode):
    embedding = torch.randn(1, 1 + 20, 6)
    assert resize_position_embedding(embedding, (4, 5), (4, 5), mode) is embedding
    resized = in_graph(embedding, (4, 5), (4, 5), mode)
    torch.testing.assert_close(resized, embedding, rtol=0, atol=1e-6)


@pytest.mark.parametrize('tokens', [5, SHORT, SHORT + 1])
def test_attention_in_bfloat16_under_autocast(tokens):
    """Computed in float32 where that is faster, nearer to the exact one; with its gradient."""
    torch.manual_seed(0)
    inputs = [torch.randn(1, 2, tokens, 8).bfloat16().requires_grad_() for _ in range(3)]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        attended = attend(*inputs)
    assert attended.dtype == torch.bfloat16
    single = [each.float() for each in inputs]
    exact = F.scaled_dot_product_attention(*single)
    torch.testing.assert_close(attend(*single), exact, rtol=0, atol=0)  # untouched
    torch.testing.assert_close(attended.float(), exact, rtol=0.02, atol=0.02)
    if tokens <= SHORT:  # rounded once, at the end
        torch.testing.assert_close(attended, exact.to(torch.bfloat16), rtol=0, atol=0)
    gradients = torch.autograd.grad(attended.float().sum(), inputs)
    torch.testing.assert_close(
        gradients, torch.autograd.grad(exact.sum(), inputs), rtol=0.05, atol=0.02
    )


@pytest.mark.parametrize(
    'settings',
    [
        {},
        dict(layer_scale_init_value=0.1),
        dict(ffn_type='swiglu_fused'),
        dict(drop_rate=0.3, drop_path_rate=0.5),
        dict(num_fcs=3, qkv_bias=False, act_cfg=dict(type='ReLU')),
    ],
)
def test_encoder_layer_equals_mmpretrains(settings):
    """In parameters, outputs and gradients, initial weights too."""
    tokens = torch.randn(2, 11, 24)
    results = []
    for kind in (EncoderLayer, TransformerEncoderLayer):
        torch.manual_seed(0)
        layer = kind(24, 3, 48, **settings)
        layer.init_weights()
        x = tokens.clone().requires_grad_()
        out = layer(x)
        out.square().sum().backward()
        gradients = {name: p.grad for name, p in layer.named_parameters()}
        with torch.no_grad():
            results.append((layer.state_dict(), out, gradients, x.grad, layer.eval()(tokens)))
    torch.testing.assert_close(*results)


def test_encoder_layer_keeps_no_gelu_where_it_recomputes(monkeypatch):
    def kept(layer):
        """Count the hidden maps that operations keep for the backward pass."""
        shapes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x: shapes.append(tuple(x.shape)) or x, lambda x: x
        ):
            layer(torch.randn(1, 5, 24))
        return sum(shape[-2:] == (5, 96) for shape in shapes)

    assert kept(TransformerEncoderLayer(24, 3, 96)) == 2  # before and after the GELU
    assert kept(EncoderLayer(24, 3, 96)) == kept(EncoderLayer(24, 3, 96, recompute=True)) == 1
    assert kept(EncoderLayer(24, 3, 96, recompute=False)) == 2
    monkeypatch.setattr(recomputation, 'DEVICES', {'mps'})  # as on CUDA
    assert kept(EncoderLayer(24, 3, 96)) == 2


@pytest.mark.parametrize(
    ('row', 'expected'),
    [([1, 2, 3, 4], [3, 4]), ([1, 2, 3, 4, 5], [2, 4, 5]), ([-5, -4, -3, -9], [-3, -3])],
)
def test_max_pool_windows_start_where_tensorflows_do(row, expected):
    """Of -3 and -9 and what is padded, -3 is the maximum: zeros would win."""
    x = torch.tensor(row, dtype=torch.float32).reshape(1, 1, 1, -1)
    assert MaxPoolSame()(x).flatten().tolist() == expected


@pytest.mark.parametrize(('formula', 'expected'), [('std', 0.5), ('var', 101**-0.5)])
def test_standardisation_of_a_filter_as_small_as_its_epsilon(formula, expected):
    """Mean 2e-5, biased deviation 1e-5: 1e-5 / (1e-5 + 1e-5) and 1e-5 / sqrt(1e-10 + 1e-8).

    The gradient of a constant filter is finite.
    """
    weight = torch.tensor([1e-5, 3e-5, 1e-5, 3e-5], dtype=torch.float64).reshape(1, 1, 2, 2)
    result = standardize(weight, formula).flatten()
    torch.testing.assert_close(result, expected * weight.new_tensor([-1, 1, -1, 1]))
    weight = torch.full((1, 2, 3, 3), 0.5, requires_grad=True)
    result = standardize(weight, formula)
    (result * torch.randn_like(result)).sum().backward()
    assert result.abs().max() == 0 and weight.grad.isfinite().all()


def test_released_weights_formula_is_the_default_of_every_convolution():
    convolutions = [m for m in ResNetV2(depths=(1, 2)).modules() if isinstance(m, StdConv2d)]
    assert len(convolutions) == 12  # the first, three in each of 3 blocks, two shortcuts
    assert {m.standardization for m in convolutions} == {'std'}


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"'std', 'var'.*'eps'"):
        ResNetV2(standardization='eps')
    with pytest.raises(ValueError, match='multiple of 32, got 48'):
        ResNetV2(base_channels=48)
