"""The depth losses by hand."""

import math

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub

from mmdpt import models


def row(*values):
    """One image of one row."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (dict(), 1.5 / 6),
        (dict(criterion='mae'), 2 / 6),
        (dict(alignment='none'), (1 + 1 + 16) / 6),
        # Medians 1 and 2, deviations 2/3 and 5/3: (-1.5, 0, 1.5) and (-.6, 0, 2.4).
        (dict(alignment='median'), 2 * 0.81 / 6),
        (dict(alignment='median', criterion='mae'), 2 * 0.9 / 6),
    ],
)
def test_ssi(options, expected):
    """Prediction 0, 1, 2 of 1, 2, 6: scale 2.5, shift 0.5, residuals -.5, 1, -.5."""
    value = models.SSILoss(**options)(row(0, 1, 2, 77), row(1, 2, 6, torch.nan)).item()
    assert value == pytest.approx(expected)


# Medians 2 and 3, deviations 2 and 1, so normalised (-1, -.5, 0, .5, 3) and (-2, -1, 0, 1, 1):
# residuals 1, .5, 0, .5, 2 over five valid pixels; without alignment 1, 1, 1, 1, 4.
PRED, TARGET = row(0, 1, 2, 3, 8, 100), row(1, 2, 3, 4, 4, torch.nan)


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        *((dict(trim=t), x / 10) for t, x in ((0.0, 4), (0.2, 2), (0.3, 1), (0.5, 0.5), (0.9, 0))),
        (dict(alignment='none'), 4 / 10),
    ],
)
def test_trimmed(options, expected):
    assert models.SSITrimmedLoss(**options)(PRED, TARGET).item() == pytest.approx(expected)


def test_dropped_residuals_have_no_gradient():
    pred = PRED.clone().requires_grad_()
    models.SSITrimmedLoss(alignment='none')(pred, TARGET).backward()
    torch.testing.assert_close(pred.grad, row(-0.1, -0.1, -0.1, -0.1, 0, 0))


@pytest.mark.parametrize('count', [5, 10, 30, 70, 110])
@pytest.mark.parametrize('trim', [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.9])
def test_trim_keeps_whole_pixels(count, trim):
    """Residuals of one each: the loss counts them, and 0.7 * 10 is 7, not 6."""
    loss = models.SSITrimmedLoss(trim=trim, alignment='none')
    value = loss(row(*[1] * count), row(*[0] * count)).item()
    kept = count * (10 - round(10 * trim)) // 10
    assert value == pytest.approx(kept / (2 * count))


def test_gist_takes_zeros_into_the_median_and_trims_the_batch():
    rng = np.random.default_rng(0)
    pred, target = rng.random((2, 2, 4, 5)) + 1
    valid = rng.random((2, 4, 5)) < 0.7
    residuals = []
    for p, t, v in zip(pred, target, valid, strict=True):
        normalised = []
        for values in (p, t):
            centre = np.sort((values * v).ravel())[(values.size - 1) // 2]
            normalised.append((values - centre)[v] / np.abs(values - centre)[v].mean())
        residuals.extend(np.abs(normalised[0] - normalised[1]))
    kept = sorted(residuals)[: int(len(residuals) * 0.8)]
    target[~valid] = np.nan
    maps = [torch.from_numpy(map_)[:, None] for map_ in (pred, target)]
    value = models.SSITrimmedLoss(variant='gist')(*maps).item()
    assert value == pytest.approx(sum(kept) / (2 * len(residuals)))
    assert value != pytest.approx(models.SSITrimmedLoss(reduction='batch')(*maps).item(), rel=1e-3)


@pytest.mark.parametrize(
    ('scales', 'expected'), [(1, 20 / 8), (2, 20 / 8 + 4 / 3), (4, 20 / 8 + 4 / 3)]
)
@pytest.mark.parametrize('reduction', ['image', 'batch'])
def test_gradient_matching(scales, expected, reduction):
    """Of eight valid pixels 2, 0, 0, 4, 5 across and 1, 1, 2, 2, 3 down.

    Then 1 above 4 beside 5, no upper right, three valid pixels; then one pixel, no pair.
    """
    pred = torch.tensor([[1.0, 3, 6], [2, 2, 2], [4, 0, 5]]).reshape(1, 1, 3, 3)
    target = torch.tensor([[0.0, 0, torch.nan], [0, 0, 0], [0, 0, 0]]).reshape(1, 1, 3, 3)
    loss = models.GradientMatchingLoss(scales=scales, alignment='none', reduction=reduction)
    assert loss(pred, target).item() == pytest.approx(expected)


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
    loss = models.GradientMatchingLoss(scales=3, alignment='none', space='log')
    assert loss(torch.tensor(pred), torch.tensor(target)).item() == pytest.approx(expected)


@pytest.mark.parametrize('weight', [0.0, 0.5, 0.85, 1.0])
def test_silog(weight):
    """E[d^2] = 2 and E[d]^2 = 1; neither NaN nor a target that is not positive counts."""
    pred, target = row(3, 5 * math.exp(2), 7, 7, 7), row(3, 5, torch.nan, 0, -1)  # d = 0, 2
    value = models.SiLogLoss(variance_weight=weight)(pred, target).item()
    assert value == pytest.approx(math.sqrt(2 - weight))


TOOLBOX = models.SiLogLoss(variance_weight=0.85, reduction='batch', warmup=100)


@pytest.mark.parametrize(
    ('loss', 'iteration', 'source'),
    [
        # zhyever/Monocular-Depth-Estimation-Toolbox, depth/models/losses/sigloss.py
        (TOOLBOX, 99, lambda p, t: abs(0.15**0.5 * np.mean(np.log((p + 0.1) / (t + 0.1))))),
        (TOOLBOX, 100, lambda p, t: (np.var(g := np.log(p / t)) + 0.15 * np.mean(g) ** 2) ** 0.5),
        # DepthAnything/Depth-Anything-V2, metric_depth/util/loss.py
        (
            models.SiLogLoss(reduction='batch'),
            0,
            lambda p, t: (np.mean((g := np.log(t / p)) ** 2) - 0.5 * np.mean(g) ** 2) ** 0.5,
        ),
    ],
    ids=['toolbox, warming up', 'toolbox', 'Depth Anything'],
)
def test_silog_of_a_batch_as_the_sources_write_it(loss, iteration, source, monkeypatch):
    monkeypatch.setitem(MessageHub.get_current_instance().runtime_info, 'iter', iteration)
    rng = np.random.default_rng(0)
    pred, target = rng.random((2, 2, 1, 4, 5)) + 0.1
    target[0, 0, 1:] = np.nan
    valid = np.isfinite(target)
    value = loss(torch.tensor(pred), torch.tensor(target)).item()
    assert value == pytest.approx(source(pred[valid], target[valid]))


@pytest.mark.parametrize('loss', [models.SiLogLoss(0.0, eps=0.01), models.LogL1Loss(eps=0.01)])
def test_predictions_below_eps_count_as_eps(loss):
    pred = row(-5).requires_grad_()
    value = loss(pred, row(1))
    value.backward()
    assert value.item() == pytest.approx(-math.log(0.01))
    assert pred.grad.item() == 0


def test_gradient_of_silog_stays_bounded_at_the_optimum():
    """The root's own derivative is infinite there."""
    target = torch.rand(1, 1, 4, 4) + 1
    pred = target.clone().requires_grad_()
    value = models.SiLogLoss()(pred, target)
    value.backward()
    assert value == 0 and (pred.grad == 0).all()
    pred = (target * (1 + 1e-6)).requires_grad_()
    models.SiLogLoss()(pred, target).backward()
    assert pred.grad.norm() < 1


def test_log_l1_and_abs_rel():
    """d = 2 and -1; 1 / 2 and 1 / 5. Neither NaN nor a target that is not positive counts."""
    pred = row(5 * math.exp(2), 3 * math.exp(-1), 7, 7, 7)
    assert models.LogL1Loss()(pred, row(5, 3, torch.nan, 0, -1)).item() == pytest.approx(1.5)
    pred, target = row(3, 4, 7, 7, 7), row(2, 5, torch.nan, 0, -1)
    assert models.AbsRelLoss()(pred, target).item() == pytest.approx(0.35)
    far, near = models.AbsRelLoss()(row(8), row(4)), models.AbsRelLoss()(row(2), row(4))
    assert (far.item(), near.item()) == (1, 0.5)  # too far costs more than too near
