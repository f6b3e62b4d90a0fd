"""The errors of one depth map, as the papers define them."""

import math

import numpy as np

THRESHOLD = 1.25
PIXELS_AT_ONCE = 16000
"""Pixels per chunk, so that intermediates fit the cache."""
ERRORS = (
    'd1',
    'd2',
    'd3',
    'abs_rel',
    'sq_rel',
    'rmse',
    'rmse_log',
    'log10',
    'silog_kitti',
    'silog_mmseg',
    'bad_pixels',
)


def depth_errors(pred: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Compare the valid pixels of one image.

    Args:
        pred: Predicted depth [m], (M,), positive.
        target: True depth [m], (M,), positive.

    Returns:
        ``ERRORS`` by name. d1, d2, d3: share of pixels with max(p/g, g/p) < 1.25, 1.25^2, 1.25^3
        (Eigen et al., arXiv:1406.2283), in [0, 1]; abs_rel; sq_rel and rmse [m]; rmse_log (natural
        logarithm); log10 (mean absolute difference); the two conventions of SILog;
        bad_pixels [%] (DPT, arXiv:2103.13413, Table 1: max(p/g, g/p) > 1.25).

    Raises:
        ValueError: If shapes differ, there is no pixel, or a value is not positive and finite.
    """
    if pred.shape != target.shape or pred.ndim != 1 or not pred.size:
        raise ValueError(
            f'expected two arrays of one shape (M,), M > 0, got {pred.shape} and {target.shape}'
        )
    pred, target = pred.astype(np.float64, copy=False), target.astype(np.float64, copy=False)
    for what, depth in (('predicted', pred), ('true', target)):
        if not (depth.min() > 0 and depth.max() < np.inf):  # false of NaN too
            raise ValueError(
                f'{what} depths must be positive and finite, got {depth.min()} to {depth.max()}'
            )
    shift = float(np.log(pred[0] / target[0]))  # for a difference of squares that is exact
    starts = range(0, pred.size, PIXELS_AT_ONCE)
    parts = [slice(start, start + PIXELS_AT_ONCE) for start in starts]
    sums = np.sum([_sums(pred[part], target[part], shift) for part in parts], axis=0)
    *shares, abs_rel, sq_rel, square, log, log_square, absolute_log, shifted, shifted_square = (
        sums / pred.size
    ).tolist()
    return dict(
        d1=shares[0],
        d2=shares[1],
        d3=shares[2],
        abs_rel=abs_rel,
        sq_rel=sq_rel,
        rmse=square**0.5,
        rmse_log=log_square**0.5,
        log10=absolute_log / math.log(10),
        # 100 sqrt(E[l^2] - E[l]^2): KITTI's benchmark and BTS
        silog_kitti=100 * max(0.0, shifted_square - shifted**2) ** 0.5,
        # sqrt(E[l^2] - E[l]^2 / 2): mmseg's metric, and the root of Eigen's training loss
        silog_mmseg=(log_square - 0.5 * log**2) ** 0.5,
        bad_pixels=100 * shares[3],
    )


def _sums(pred: np.ndarray, target: np.ndarray, shift: float) -> tuple[float, ...]:
    """Add up each error over the pixels, with l = log(pred / target)."""
    quotient = pred / target
    ratio = np.maximum(quotient, target / pred)
    log_ratio = np.log(quotient)
    difference = pred - target
    relative = difference / target
    shifted = log_ratio - shift
    return (
        *(np.count_nonzero(ratio < THRESHOLD**power) for power in (1, 2, 3)),
        np.count_nonzero(ratio > THRESHOLD),
        np.abs(relative).sum(),
        np.dot(difference, relative),
        np.dot(difference, difference),
        log_ratio.sum(),
        np.dot(log_ratio, log_ratio),
        np.abs(log_ratio).sum(),
        shifted.sum(),
        np.dot(shifted, shifted),
    )
