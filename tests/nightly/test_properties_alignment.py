"""Alignment in training and in evaluation: the fit is the best one, whatever the numbers."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from mmdpt.evaluation.depth_alignment import align_depth, fit_median_scale, fit_scale_and_shift
from mmdpt.models.losses.alignment import align_lstsq, align_median, masked_median
from mmdpt.models.losses.depth_losses import masked_mean

SEEDS = st.integers(0, 2**32 - 1).map(np.random.default_rng)
SIDES = st.integers(1, 97)
EXPONENTS = st.floats(-30, 30)
TORCH_TYPES = st.sampled_from([torch.float32, torch.float64])
NUMPY_TYPES = st.sampled_from([np.float16, np.float32, np.float64, np.int16, np.uint8])


@st.composite
def masked(draw, spread=60.0):
    """Values (N, H, W) over some magnitudes, a bool mask and the dtype."""
    random = draw(SEEDS)
    shape = (draw(st.integers(1, 3)), draw(SIDES), draw(SIDES))
    top = draw(EXPONENTS)
    exponents = random.uniform(max(top - spread, -30), top, shape)
    values = random.choice([-1, 1], shape) * 10**exponents
    valid = random.random(shape) < draw(st.sampled_from([0, 0.01, 0.5, 1]))
    return torch.tensor(values), torch.tensor(valid), draw(TORCH_TYPES)


@given(case=masked())
def test_masked_median_and_mean_are_numpys(case):
    """With deterministic algorithms, too, which choose the median's pixel in another way."""
    values, valid, dtype = case
    values = values.to(dtype)
    medians, means = masked_median(values, valid), masked_mean(values, valid)
    torch.use_deterministic_algorithms(True)
    try:
        assert masked_median(values, valid).equal(medians)
    finally:
        torch.use_deterministic_algorithms(False)
    for v, m, median, mean in zip(values, valid, medians, means, strict=True):
        chosen = v[m].double().numpy()
        expected = np.quantile(chosen, 0.5, method='lower') if chosen.size else 0
        assert median.item() == expected
        rounding = 100 * torch.finfo(dtype).eps * np.abs(chosen).max(initial=0)
        assert mean.item() == pytest.approx(chosen.mean() if chosen.size else 0, abs=rounding)


@given(case=masked(spread=3))
def test_median_alignment_gives_zero_median_and_unit_deviation_or_only_shifts(case):
    values, valid, dtype = case
    values = values.to(dtype)
    aligned = align_median(values, valid)
    for v, m, a in zip(values, valid, aligned, strict=True):
        if not m.any():
            continue
        assert np.quantile(a[m].numpy(), 0.5, method='lower') == 0
        deviation = (v[m] - v[m].median()).abs().double().mean().item()
        if deviation > 1.01e-6:  # the smallest that is no rounding
            assert a[m].abs().double().mean().item() == pytest.approx(1, rel=1e-4)
        elif deviation < 0.99e-6:
            assert a[m].equal(v[m] - v[m].median())


@given(
    case=masked(spread=2),
    scale=st.floats(-4, 4).map(lambda x: 10**x),
    sign=st.sampled_from([-1, 1]),
    shift=st.floats(-3, 3),
)
def test_least_squares_recovers_scale_and_shift(case, scale, sign, shift):
    """The shift in units of the prediction; where squares fit the number type."""
    values, valid, dtype = case
    size = values.abs().amax().item()
    assume(1e-13 < size < 1e13)
    values = values.to(dtype)
    target = torch.where(valid, sign * scale * (values + shift * size), 0)
    found = align_lstsq(values, target, valid)
    rel = 1e3 * torch.finfo(dtype).eps
    for m, s, t in zip(valid, *found, strict=True):
        if m.sum() < 2:
            assert s == 0 and t == 0
        elif values[valid].std() > 0.01 * size:
            assert s.item() == pytest.approx(sign * scale, rel=100 * rel)
            exact = sign * scale * shift * size
            assert t.item() == pytest.approx(exact, abs=100 * rel * scale * size)


def predictions(random, shape, top, dtype):
    """Positive numbers up to 10**top, or to what the type holds."""
    integer = np.issubdtype(dtype, np.integer)
    top = np.iinfo(dtype).max if integer else min(10**top, float(np.finfo(dtype).max) / 2)
    return (top * random.random(shape)).astype(dtype)


@given(random=SEEDS, count=st.integers(2, 97 * 97), top=EXPONENTS, dtype=NUMPY_TYPES)
def test_evaluation_fits_no_worse_than_numpys_solver(random, count, top, dtype):
    pred = predictions(random, count, top, dtype)
    target = 10 ** random.uniform(-3, 3, count)
    scale, shift = fit_scale_and_shift(pred, target)
    ours = np.square(scale * pred.astype(np.float64) + shift - target).sum()
    unit = float(np.abs(pred).max()) or 1.0
    columns = np.stack([pred.astype(np.float64) / unit, np.ones(count)], axis=1)
    solved = np.linalg.lstsq(columns, target)[0]
    best = np.square(columns @ solved - target).sum()
    rounding = 1e-24 * np.square(target).sum()  # a fit through two points leaves that alone
    assert ours <= best * (1 + 1e-6) + rounding


@given(
    random=SEEDS,
    size=st.tuples(SIDES, SIDES),
    scale=EXPONENTS.map(lambda x: 10**x),
    shift=st.floats(-10, 10),
    share=st.sampled_from([0.01, 0.5, 1]),
)
def test_disparity_right_up_to_scale_and_shift_is_the_depth(random, size, scale, shift, share):
    target = random.uniform(0.5, 9, size)
    valid = random.random(size) < share
    assume(valid.sum() > 1 and np.ptp(target[valid]) > 0.1)
    depth = align_depth(
        scale * (1 / target + shift), target, valid, alignment='lstsq', output='relative'
    )
    np.testing.assert_allclose(depth[valid], target[valid], rtol=1e-6)


@given(
    random=SEEDS,
    size=st.tuples(SIDES, SIDES),
    top=EXPONENTS,
    dtype=NUMPY_TYPES,
    aligned=st.sampled_from(
        [
            *((alignment, 'depth') for alignment in ('none', 'median', 'lstsq')),
            *((alignment, 'disparity') for alignment in ('none', 'median', 'lstsq')),
            ('lstsq', 'relative'),
        ]
    ),
    max_depth=st.sampled_from([0.5, 10, 80]),
)
def test_aligned_depth_is_within_the_range_whatever_is_predicted(
    random, size, top, dtype, aligned, max_depth
):
    pred = predictions(random, size, top, dtype)
    if not np.issubdtype(dtype, np.unsignedinteger):
        pred *= random.choice([-1, 1], size).astype(dtype)
    target = 10 ** random.uniform(-2, 1, size)
    valid = random.random(size) < 0.5
    valid.flat[random.integers(valid.size)] = True
    alignment, output = aligned
    depth = align_depth(
        pred, target, valid, alignment=alignment, output=output, min_depth=0.1, max_depth=max_depth
    )
    assert depth.dtype == np.float64
    assert ((depth >= 0.1) & (depth <= max_depth)).all()  # NaN is neither


@given(random=SEEDS, count=st.integers(1, 9409), scale=EXPONENTS.map(lambda x: 10**x))
def test_median_scale_brings_the_medians_together(random, count, scale):
    depth, target = random.random((2, count)) + 0.01
    found = fit_median_scale(scale * depth, target)
    assert np.median(found * (scale * depth)) == pytest.approx(np.median(target), rel=1e-12)
