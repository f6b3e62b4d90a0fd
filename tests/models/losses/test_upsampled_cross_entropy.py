"""The banded loss equals interpolation and cross-entropy one after the other."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.losses import accuracy

from mmdpt.models.losses import upsampled_cross_entropy as module
from mmdpt.models.losses.upsampled_cross_entropy import upsampled_cross_entropy

IGNORED = 255


@pytest.fixture(autouse=True)
def small_bands(monkeypatch):
    """Bands of two to four rows of the labels below."""
    monkeypatch.setitem(module.BAND, 'cpu', 700)


def example(size, dtype=torch.float32, channels=5, grid=(7, 9), batch=2):
    torch.manual_seed(0)
    logits = torch.randn(batch, channels, *grid).to(dtype)
    label = torch.randint(0, channels, (batch, *size))
    label[torch.rand(label.shape) < 0.2] = IGNORED
    return logits.requires_grad_(), label


def plain(logits, label, size, align_corners, weight=None):
    height, width = label.shape[-2:]
    full = F.interpolate(logits.float(), size, mode='bilinear', align_corners=align_corners)
    full = full[..., :height, :width]
    loss = F.cross_entropy(full, label, weight, ignore_index=IGNORED, reduction='sum')
    return loss, full


@pytest.mark.parametrize('align_corners', [True, False])
@pytest.mark.parametrize('cut', [(0, 0), (5, 11)])
@pytest.mark.parametrize('size', [(14, 18), (28, 36), (29, 50), (5, 4), (1, 1), (7, 9)])
def test_value_and_gradient_equal_the_plain_formulation(size, cut, align_corners):
    visible = [max(1, side - part) for side, part in zip(size, cut, strict=True)]
    logits, label = example(visible)
    total, correct = upsampled_cross_entropy(logits, label, size, align_corners, IGNORED)
    (gradient,) = torch.autograd.grad(0.7 * total, logits)
    loss, full = plain(logits, label, size, align_corners)
    (expected,) = torch.autograd.grad(0.7 * loss, logits)
    torch.testing.assert_close(total, loss, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5)
    labelled = label != IGNORED
    assert correct == (full.argmax(dim=1) == label)[labelled].sum()
    if labelled.any():
        share = accuracy(full, label, ignore_index=IGNORED)
        torch.testing.assert_close(100 * correct / labelled.sum(), share[0], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ('weight', 'dtype'),
    [([0.5, 1.0, 2.0, 0.1, 3.0], torch.float32), (None, torch.bfloat16)],
    ids=['class weights', 'half precision is upsampled in single'],
)
def test_weights_and_number_types(weight, dtype):
    logits, label = example((28, 36), dtype)
    weight = weight and torch.tensor(weight)
    with torch.autocast('cpu', torch.bfloat16, enabled=dtype == torch.bfloat16):
        total, _ = upsampled_cross_entropy(logits, label, (28, 36), True, IGNORED, weight)
    assert total.dtype == torch.float32
    (gradient,) = torch.autograd.grad(total, logits)
    loss, _ = plain(logits, label, (28, 36), True, weight)
    torch.testing.assert_close(total, loss)
    torch.testing.assert_close(gradient, torch.autograd.grad(loss, logits)[0])


def test_value_without_a_labelled_pixel_and_without_gradients():
    logits, label = example((14, 18))
    settings = ((14, 18), True, IGNORED)
    total, correct = upsampled_cross_entropy(logits, torch.full_like(label, IGNORED), *settings)
    (gradient,) = torch.autograd.grad(total, logits)
    assert total == 0 and correct == 0 and not gradient.any()
    expected, _ = upsampled_cross_entropy(logits, label, *settings)
    with torch.no_grad():
        total, _ = upsampled_cross_entropy(logits, label, *settings)
    assert total == expected and not total.requires_grad
