"""The ResNet stem: its padding at odd and even sizes, its standardisation, its guards."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmdpt.models.backbones.resnetv2 import MaxPoolSame, ResNetV2, StdConv2d, pad_same, standardize


@pytest.mark.parametrize(
    ('row', 'expected'),
    [([1, 2, 3, 4], [3, 4]), ([1, 2, 3, 4, 5], [2, 4, 5]), ([-5, -4, -3, -9], [-3, -3])],
)
def test_max_pool_windows_start_where_tensorflows_do(row, expected):
    """Of -3 and -9 and what is padded, -3 is the maximum: zeros would win."""
    x = torch.tensor(row, dtype=torch.float32).reshape(1, 1, 1, -1)
    assert MaxPoolSame()(x).flatten().tolist() == expected


@pytest.mark.parametrize('size', [(1, 1), (16, 16), (37, 81), (33, 64), (50, 31)])
def test_stages_round_the_size_up(size):
    model = ResNetV2(depths=(1, 1, 1), base_channels=64)
    with torch.no_grad():
        maps = model(torch.randn(1, 3, *size))
    for stage, feature in enumerate(maps):
        stride = 4 * 2**stage
        assert feature.shape == (1, 256 * 2**stage, -(-size[0] // stride), -(-size[1] // stride))
        assert feature.min() == 0 < feature.max()  # after its ReLU


@pytest.mark.parametrize(('size', 'before'), [((8, 8), 0), ((7, 7), 1)])
def test_strided_convolution_sees_the_window_of_its_output(size, before):
    """Output (i, j) from the pixels at 2 i - before and on, weights standardised by NumPy."""
    torch.manual_seed(0)
    conv = StdConv2d(2, 3, 3, stride=2)
    image = torch.randn(1, 2, *size)
    weight = conv.weight.detach().numpy().astype(np.float64)
    flat = weight.reshape(3, -1)
    flat = (flat - flat.mean(1, keepdims=True)) / (flat.std(1, keepdims=True) + 1e-5)
    padded = np.pad(image[0].numpy(), ((0, 0), (before, 3), (before, 3)))
    expected = np.zeros((3, 4, 4))
    for i in range(4):
        for j in range(4):
            window = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].reshape(-1)
            expected[:, i, j] = flat @ window
    with torch.no_grad():
        output = conv(image)[0].numpy()
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(('formula', 'expected'), [('std', 0.5), ('var', 101**-0.5)])
def test_standardisation_of_a_filter_as_small_as_its_epsilon(formula, expected):
    """Mean 2e-5, biased deviation 1e-5: 1e-5 / (1e-5 + 1e-5) and 1e-5 / sqrt(1e-10 + 1e-8)."""
    weight = torch.tensor([1e-5, 3e-5, 1e-5, 3e-5], dtype=torch.float64).reshape(1, 1, 2, 2)
    result = standardize(weight, formula).flatten()
    torch.testing.assert_close(result, expected * weight.new_tensor([-1, 1, -1, 1]))


@pytest.mark.parametrize('formula', ['std', 'var'])
def test_standardisation_keeps_the_gradient_of_a_constant_filter_finite(formula):
    weight = torch.full((1, 2, 3, 3), 0.5, requires_grad=True)
    result = standardize(weight, formula)
    (result * torch.randn_like(result)).sum().backward()
    assert result.abs().max() == 0
    assert weight.grad.isfinite().all()


def test_released_weights_formula_is_the_default_of_every_convolution():
    convolutions = [m for m in ResNetV2(depths=(1, 2)).modules() if isinstance(m, StdConv2d)]
    assert len(convolutions) == 12  # the first, three in each of 3 blocks, two shortcuts
    image = torch.randn(1, 3, 8, 8)
    conv = convolutions[0]
    torch.nn.init.normal_(conv.weight, std=1e-5)
    expected = F.conv2d(pad_same(image, 7, 2), standardize(conv.weight, 'std'), stride=2)
    torch.testing.assert_close(conv(image), expected)
    assert {m.standardization for m in convolutions} == {'std'}


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(standardization='eps'), r"'std', 'var'.*'eps'"),
        (dict(base_channels=48), 'multiple of 32, got 48'),
    ],
)
def test_settings_that_do_not_fit_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ResNetV2(**kwargs)
