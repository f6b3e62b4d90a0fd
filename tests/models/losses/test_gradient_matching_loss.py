"""Gradient matching by hand."""

import numpy as np
import pytest
import torch

from mmdpt.models.losses import GradientMatchingLoss

PRED = torch.tensor([[1.0, 3, 6], [2, 2, 2], [4, 0, 5]]).reshape(1, 1, 3, 3)
TARGET = torch.tensor([[0.0, 0, torch.nan], [0, 0, 0], [0, 0, 0]]).reshape(1, 1, 3, 3)


@pytest.mark.parametrize(
    ('scales', 'expected'),
    [
        # across 2, 0, 0, 4, 5; down 1, 1, 2, 2, 3; eight valid pixels
        (1, 20 / 8),
        # 1 above 4 beside 5, no upper right; three valid pixels
        (2, 20 / 8 + 4 / 3),
        # one pixel, no pair
        (4, 20 / 8 + 4 / 3),
    ],
)
@pytest.mark.parametrize('reduction', ['image', 'batch'])
def test_worked_example(scales, expected, reduction):
    loss = GradientMatchingLoss(scales=scales, alignment='none', reduction=reduction)
    assert loss(PRED, TARGET).item() == pytest.approx(expected)


def test_batch_reduction_divides_once_per_scale():
    """Second image: one pair, difference 7, two valid pixels; one of them at stride 2."""
    second = torch.full((1, 1, 3, 3), torch.nan)
    second[0, 0, 0, :2] = 0
    pred = torch.cat([PRED, torch.tensor([[0.0, 7, 0]] * 3).reshape(1, 1, 3, 3)])
    target = torch.cat([TARGET, second])
    per_image, whole = (
        GradientMatchingLoss(scales=2, alignment='none', reduction=reduction)(pred, target).item()
        for reduction in ('image', 'batch')
    )
    assert per_image == pytest.approx((20 / 8 + 4 / 3 + 7 / 2) / 2)
    assert whole == pytest.approx((20 + 7) / (8 + 2) + 4 / (3 + 1))


def test_median_alignment_by_hand():
    """Median 2, deviation 4/3 and target's median 4, deviation 8/3: edges 1 and 1.5 in both."""
    pred = torch.tensor([1.0, 2, 5]).reshape(1, 1, 1, 3)
    target = torch.tensor([6.0, 4, -2]).reshape(1, 1, 1, 3)
    # Normalised (-.75, 0, 2.25) and (.75, 0, -2.25): residual -1.5, 0, 4.5.
    loss = GradientMatchingLoss(scales=1)
    assert loss(pred, target).item() == pytest.approx((1.5 + 4.5) / 3)


def test_constant_offset_costs_nothing():
    target = torch.rand(2, 1, 8, 8)
    loss = GradientMatchingLoss(alignment='none')
    assert loss(target + 3, target).item() == pytest.approx(0, abs=1e-5)


def test_edges_of_the_mask_are_no_gradients():
    """A hole in a flat residual stays unseen."""
    target = torch.zeros(1, 1, 8, 8)
    target[..., 2:5, 3:6] = torch.nan
    loss = GradientMatchingLoss(alignment='none')
    assert loss(torch.full_like(target, 5.0), target) == 0


def test_log_space_equals_numpy_where_pixels_are_missing_or_not_positive():
    generator = np.random.default_rng(0)
    pred, target = generator.uniform(0.5, 60, (2, 3, 1, 9, 11))
    target[generator.random(target.shape) < 0.3] = np.nan
    target[0, 0, 4, 5], target[1, 0, 2, 3] = 0, -1
    pred[0, 0, 0, 0] = 0  # has no logarithm
    with np.errstate(invalid='ignore', divide='ignore'):
        residual = np.log(np.maximum(pred, 1e-3)) - np.log(np.where(target > 0, target, np.nan))
    expected = 0
    for image in residual[:, 0]:
        for level in (image[::stride, ::stride] for stride in (1, 2, 4)):
            total = sum(np.nansum(abs(np.diff(level, axis=axis))) for axis in (0, 1))
            expected += total / max(np.isfinite(level).sum(), 1) / 3
    loss = GradientMatchingLoss(scales=3, alignment='none', space='log')
    assert loss(torch.tensor(pred), torch.tensor(target)).item() == pytest.approx(expected)
