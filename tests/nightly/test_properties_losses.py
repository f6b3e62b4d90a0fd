"""Losses on generated maps are their definitions, and nothing finite makes them NaN.

Maps of 1 to 97 pixels a side, of magnitudes 1e-30 to 1e30, in every number type, with masks from
empty to full. The definitions are written out in NumPy's float64, image by image.
"""

import numpy as np
import pytest
import torch
from depth_losses import every_loss
from hypothesis import assume, given
from hypothesis import strategies as st

from mmdpt.models import AbsRelLoss, GradientMatchingLoss, LogL1Loss, SSILoss, SSITrimmedLoss

every_defined_loss = every_loss(without=('trim_gist', 'grad_log', 'silog_batch'))

GREATEST = {torch.float16: 6e4, torch.bfloat16: 1e30, torch.float32: 1e30, torch.float64: 1e30}
KINDS = ('uniform', 'magnitudes', 'constant', 'nearly constant', 'two values', 'zeros')
MASKS = ('full', 'most', 'few', 'one pixel', 'one image', 'empty')


def numbers(kind, shape, greatest, random):
    """Array (N, 1, H, W) of positive numbers up to ``greatest``, or of zeros."""
    top = min(10.0 ** random.uniform(-30, 30), greatest)
    if kind == 'uniform':
        return top * random.random(shape)
    if kind == 'magnitudes':
        return 10 ** random.uniform(-30, np.log10(top), shape)
    if kind == 'nearly constant':
        return top * (1 - 10.0 ** random.uniform(-8, -2) * random.random(shape))
    if kind == 'two values':
        return np.where(random.random(shape) < 0.5, top, top * 10.0 ** random.uniform(-30, 0))
    return np.full(shape, top if kind == 'constant' else 0.0)


def mask(kind, shape, random):
    """Bool array (N, 1, H, W)."""
    if kind == 'one pixel':
        flat = np.arange(np.prod(shape[1:])) == random.integers(np.prod(shape[1:]))
        return np.broadcast_to(flat.reshape(1, *shape[1:]), shape)
    if kind == 'one image':
        return np.broadcast_to(np.arange(shape[0]).reshape(-1, 1, 1, 1) == 0, shape)
    share = dict(full=1.0, most=0.7, few=0.1, empty=0.0)[kind]
    return random.random(shape) < share


@st.composite
def maps(draw, dtypes=tuple(GREATEST), kinds=KINDS):
    """Prediction and target, (N, 1, H, W); the target is NaN or infinite where it is invalid."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 3)), 1, draw(st.integers(1, 97)), draw(st.integers(1, 97)))
    both = []
    for _ in range(2):
        dtype = draw(st.sampled_from(dtypes))
        values = numbers(draw(st.sampled_from(kinds)), shape, GREATEST[dtype], random)
        if draw(st.booleans()):
            values = values * random.choice([-1, 1], shape)
        both.append(torch.tensor(values).to(dtype))
    valid = torch.tensor(mask(draw(st.sampled_from(MASKS)), shape, random))
    mark = draw(st.sampled_from([torch.nan, torch.inf, -torch.inf]))
    return both[0], torch.where(valid, both[1], mark)


# --- the definitions -----------------------------------------------------------------------------
# Each gives an image's sum and count, and a bound: what the sum would be without cancellation,
# which rounding goes by.


def normalised(values, valid, zeros, info):
    """Zero median and unit mean absolute deviation, (M,); the factor is 1 for a constant."""
    among = np.sort(np.where(valid, values, 0).ravel() if zeros else values[valid])
    median = among[(len(among) - 1) // 2]
    centred = np.where(valid, values - median, 0)
    deviation = np.abs(centred[valid]).mean()
    least = max(1e-6, 10 * info.eps * abs(median))
    assume(not 0.99 < deviation / least < 1.01)  # either is right
    return centred if deviation <= least else centred / deviation


def fitted(pred, target, valid, info):
    """Prediction moved to the target by least squares, and how large the terms are."""
    p, t = pred[valid], target[valid]
    spread, size = p.std(), np.abs(p).max()
    least, smallest = 10 * info.eps * abs(p.mean()), info.tiny**0.5
    assume(not least / 2 < spread < 2 * least and not smallest / 2 < size < smallest)
    if spread <= least or size < smallest:
        return 0 * pred, np.abs(t).max()
    scale = ((p - p.mean()) * (t - t.mean())).mean() / spread**2
    moved = scale * (pred - p.mean()) + t.mean()
    return moved, abs(scale) * size + np.abs(t).max() * (1 + size / spread)


def residual(loss, pred, target, valid, info):
    """Aligned difference, (H, W), and a bound on its terms, (H, W); zero where invalid."""
    if not valid.any():
        return 0 * pred, 0 * pred
    if loss.alignment == 'lstsq':
        pred, bound = fitted(pred, target, valid, info)
        bound = np.full(pred.shape, bound)
    else:
        if loss.alignment != 'none':
            zeros = loss.alignment == 'median_zeros'
            pred, target = (normalised(x, valid, zeros, info) for x in (pred, target))
        bound = np.abs(pred) + np.abs(target)
    return np.where(valid, pred - target, 0), np.where(valid, bound, 0)


def trimmed(loss, r, bound, valid):
    kept = int((1 - loss.trim) * valid.sum() + 1e-6)
    return [(np.sort(np.abs(r[valid]))[:kept].sum(), 2 * valid.sum(), bound.sum())]


def mean_error(loss, r, bound, valid):
    power = 2 if loss.criterion == 'mse' else 1
    return [((np.abs(r) ** power).sum(), 2 * valid.sum(), (bound**power).sum())]


def gradients(loss, r, bound, valid):
    terms = []
    for k in range(loss.scales):
        level, mask, most = (x[:: 2**k, :: 2**k] for x in (r, valid, bound))
        across = np.abs(np.diff(level, axis=1))[mask[:, 1:] & mask[:, :-1]].sum()
        down = np.abs(np.diff(level, axis=0))[mask[1:] & mask[:-1]].sum()
        terms.append((across + down, mask.sum(), 4 * most.sum()))
    return terms


OF_RESIDUALS = {SSITrimmedLoss: trimmed, SSILoss: mean_error, GradientMatchingLoss: gradients}


def relative(loss, pred, target, valid):
    p, t = pred[valid & (target > 0)], target[valid & (target > 0)]
    return [(np.abs((p - t) / t).sum(), len(t), ((np.abs(p) + t) / t).sum())]


def logarithms(loss, pred, target, valid):
    at = valid & (target > 0)
    d = np.log(np.maximum(pred[at], loss.eps)) - np.log(np.maximum(target[at], loss.eps))
    if isinstance(loss, LogL1Loss):
        return [(np.abs(d).sum(), d.size, 5 * d.size)]
    if not d.size:
        return [(0, 1, 0)]
    square = d.var() + (1 - loss.variance_weight) * d.mean() ** 2
    return [(square**0.5, 1, 5)]  # of logarithms up to 70


def definition(loss, pred, target):
    """The loss, its rounding bound, and whether single precision can hold its sums."""
    dtype = torch.promote_types(pred.dtype, torch.float32)
    info = torch.finfo(dtype)
    images = []
    for p, t in zip(pred, target, strict=True):
        valid = t[0].isfinite().numpy()
        p, t = (np.where(valid, x[0].to(dtype).double().numpy(), 0) for x in (p, t))
        if type(loss) in OF_RESIDUALS:
            r, bound = residual(loss, p, t, valid, info)
            images.append(OF_RESIDUALS[type(loss)](loss, r, bound, valid))
        else:
            of = relative if isinstance(loss, AbsRelLoss) else logarithms
            images.append(of(loss, p, t, valid))
    sums, counts, bounds = np.array(images, np.float64).transpose(2, 0, 1)  # (N, terms)
    if loss.reduction == 'batch':
        sums, counts, bounds = (x.sum(0, keepdims=True) for x in (sums, counts, bounds))
    value, bound = ((x / np.maximum(counts, 1)).mean(0).sum() for x in (sums, bounds))
    fits = bounds.sum() < info.max / 100
    return value, 300 * info.eps * bound + info.tiny, fits


@every_defined_loss
@given(case=maps())
def test_loss_is_its_definition(loss, case):
    value, rounding, fits = definition(loss, *case)
    ours = loss(*case).item()
    if fits:
        assert ours == pytest.approx(value, rel=1e-5, abs=rounding)
    else:  # beyond the number type: infinity says so
        assert ours == np.inf or ours == pytest.approx(value, rel=1e-5, abs=rounding)


@every_loss()
@given(case=maps(), junk=st.sampled_from([0.0, -1e4, torch.inf, torch.nan]))
def test_nothing_is_nan_and_invalid_pixels_have_no_say_and_no_gradient(loss, case, junk):
    pred, target = case
    outcomes = []
    for other in (pred, torch.where(target.isfinite(), pred, junk)):
        leaf = other.detach().clone().requires_grad_()
        value = loss(leaf, target)
        value.backward()
        assert (leaf.grad[~target.isfinite()] == 0).all()
        outcomes.append((value.detach(), leaf.grad))
    (value, gradient), other = outcomes
    assert not value.isnan() and value >= 0
    if value.isfinite():
        assert not gradient.isnan().any()
    torch.testing.assert_close((value, gradient), other, rtol=0, atol=0, equal_nan=True)


@every_loss()
@given(case=maps(dtypes=(torch.float16, torch.bfloat16)))
def test_half_precision_is_taken_to_single(loss, case):
    pred, target = case
    with torch.autocast('cpu', dtype=pred.dtype):
        value = loss(pred, target)
    same = loss(pred.float(), target.float())
    torch.testing.assert_close(value, same, rtol=0, atol=0, equal_nan=True)


@every_defined_loss
@given(
    case=maps(dtypes=(torch.float64,), kinds=('uniform', 'magnitudes')),
    axis=st.sampled_from((2, 3)),
)
def test_upside_down_and_mirrored_maps_cost_the_same(loss, case, axis):
    if isinstance(loss, GradientMatchingLoss):  # its coarser scales begin at the top left
        loss = GradientMatchingLoss(scales=1, alignment=loss.alignment, reduction=loss.reduction)
    _, rounding, _ = definition(loss, *case)
    turned = loss(*(x.flip(axis) for x in case)).item()
    assert turned == pytest.approx(loss(*case).item(), rel=1e-9, abs=rounding)
