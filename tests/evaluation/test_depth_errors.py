"""Errors and alignments of one depth map, by hand and against mmseg's formulas."""

import numpy as np
import pytest
import torch
from mmseg.evaluation import DepthMetric as MMSegDepthMetric

from mmdpt.evaluation.depth_alignment import align_depth, fit_median_scale, fit_scale_and_shift
from mmdpt.evaluation.depth_errors import ERRORS, depth_errors

RANDOM = np.random.default_rng(0)
TARGET = RANDOM.uniform(0.5, 9, 200)
PRED = TARGET * RANDOM.uniform(0.6, 1.6, 200)


def test_by_hand():
    """Ratios 1, 1.25, 2, 1: exactly 1.25 is neither within the threshold nor beyond it."""
    errors = depth_errors(np.array([1, 2.5, 2, 5]), np.array([1, 2, 4, 5]))
    assert tuple(errors) == ERRORS
    assert errors == pytest.approx(
        {
            'd1': 2 / 4,
            'd2': 3 / 4,
            'd3': 3 / 4,
            'abs_rel': (0.25 + 0.5) / 4,
            'sq_rel': (0.125 + 1) / 4,
            'rmse': (4.25 / 4) ** 0.5,
            'rmse_log': 0.364090,
            'log10': (0.0969100 + 0.3010300) / 4,
            'silog_kitti': 34.4608,
            'silog_mmseg': 0.354483,
            'bad_pixels': 25,
        },
        rel=1e-5,
    )


@pytest.mark.parity
def test_equal_to_mmseg():
    expected = MMSegDepthMetric._calc_all_metrics(torch.from_numpy(TARGET), torch.from_numpy(PRED))
    expected['silog_mmseg'] = expected.pop('silog')
    errors = depth_errors(PRED, TARGET)
    assert {name: errors[name] for name in expected} == pytest.approx(expected, rel=1e-6)


def test_wrong_input():
    wrong = [(2, 1, r'\(2,\) and \(1,\)'), ((1, 1), (1, 1), r'\(1, 1\)'), (0, 0, 'M > 0')]
    for pred, target, message in wrong:  # their shapes
        with pytest.raises(ValueError, match=message):
            depth_errors(np.ones(pred), np.ones(target))


def test_fits_of_constants_and_zeros():
    assert fit_scale_and_shift(np.full(3, 0.1), np.array([1.0, 2.0, 6.0])) == (0, 3)
    assert fit_scale_and_shift(np.array([0.1]), np.array([2.0])) == (0, 2)
    assert fit_median_scale(np.zeros(3), np.ones(3)) == 1


@pytest.mark.parametrize(
    ('alignment', 'output', 'predict'),
    [
        ('none', 'depth', lambda depth: depth),
        ('none', 'disparity', lambda depth: 1 / depth),
        ('median', 'depth', lambda depth: depth / 7),
        ('median', 'disparity', lambda depth: 7 / depth),
        ('lstsq', 'relative', lambda depth: 40 / depth - 3),
        ('lstsq', 'disparity', lambda depth: 7 / depth),
        ('lstsq', 'depth', lambda depth: 7 * depth),
    ],
)
def test_alignment_recovers_depth_whatever_invalid_pixels_hold(alignment, output, predict):
    target = TARGET[:195].reshape(13, 15).copy()  # odd, so that 1 / median is a median
    pred = predict(target)
    valid = np.ones_like(target, bool)
    valid[:2] = False
    target[0], pred[0] = np.nan, np.inf
    target[1], pred[1] = -1, 1e6
    depth = align_depth(pred, target, valid, alignment=alignment, output=output)
    np.testing.assert_allclose(depth[valid], target[valid], rtol=1e-9)


def test_depth_and_fitted_disparity_are_clamped_to_the_range():
    target, valid = np.ones((1, 4)), np.ones((1, 4), bool)
    depth = align_depth(np.array([[-1.0, 0, 5, 99]]), target, valid, min_depth=0.1, max_depth=10)
    np.testing.assert_array_equal(depth, [[0.1, 0.1, 5, 10]])
    disparity = np.array([[-1.0, 0, 0.2, 99]])
    depth = align_depth(disparity, target, valid, output='disparity', min_depth=0.1, max_depth=10)
    np.testing.assert_allclose(depth, [[10, 10, 5, 0.1]])
    # the line through (0, 0.01), (1, 0.5), (2, 0.99) gives 0.01, which is 100 m, at 0
    target = 1 / np.array([[0.01, 0.5, 0.99]])
    valid = np.ones_like(target, bool)
    pred = np.array([[0.0, 1, 2]])
    fit = dict(alignment='lstsq', output='relative')
    for max_depth, farthest in ((1000, 100), (72, 72)):
        depth = align_depth(pred, target, valid, **fit, max_depth=max_depth)
        np.testing.assert_allclose(depth, [[farthest, 2, 1 / 0.99]])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(alignment='mean'), "'none', 'median', 'lstsq'., got 'mean'"),
        (dict(output='metres'), "'relative', 'disparity', 'depth'., got 'metres'"),
        (dict(output='relative'), "unknown shift .* use alignment='lstsq'"),
        (dict(output='relative', alignment='median'), 'unknown shift'),
        (dict(target=np.ones((1, 3))), r'one shape, got \(1, 2\), \(1, 3\)'),
        (dict(valid=np.zeros((1, 2), bool)), 'no valid pixel'),
    ],
)
def test_alignment_that_cannot_be(change, message):
    arguments = dict(pred=np.ones((1, 2)), target=np.ones((1, 2)), valid=np.ones((1, 2), bool))
    with pytest.raises(ValueError, match=message):
        align_depth(**{**arguments, **change})
