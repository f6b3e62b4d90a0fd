"""From what a network predicts to depth in metres that can be compared with the ground truth."""

import numpy as np

from mmdpt.errors import check_choice

ALIGNMENTS = ('none', 'median', 'lstsq')
OUTPUTS = ('relative', 'disparity', 'depth')

# a disparity of zero or less is a point beyond any cap
SMALLEST_DISPARITY = float(np.finfo(np.float64).tiny)


def check_alignment(alignment: str, output: str) -> None:
    """Raise ValueError for an unknown alignment or output, or two that do not go together."""
    check_choice('alignment', alignment, ALIGNMENTS)
    check_choice('output', output, OUTPUTS)
    if output == 'relative' and alignment != 'lstsq':
        raise ValueError(
            'relative disparity has an unknown shift and cannot become depth with '
            f"alignment={alignment!r}; use alignment='lstsq'"
        )


def fit_scale_and_shift(pred: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Solve min over (s, t) of sum (s * pred + t - target)^2 (MiDaS, arXiv:1907.01341).

    Both are (M,), M > 0: disparity up to scale and shift, and disparity [1/m]. Gives scale and
    shift; of a constant prediction 0 and the target's mean, one of the minima.
    """
    pred, target = pred.astype(np.float64, copy=False), target.astype(np.float64, copy=False)
    centred = pred - pred.mean()
    variance = np.dot(centred, centred)
    scale = float(np.dot(centred, target - target.mean()) / variance) if variance > 0 else 0.0
    return scale, float(target.mean() - scale * pred.mean())


def fit_median_scale(depth: np.ndarray, target: np.ndarray) -> float:
    """Ratio of medians, target to depth (Zhou et al., arXiv:1704.07813).

    Both are (M,), M > 0: depth up to scale, and the target [m]. 1 where the median of the depth is
    not positive.
    """
    median = float(np.median(depth))
    return float(np.median(target)) / median if median > 0 else 1.0


def align_depth(
    pred: np.ndarray,
    target: np.ndarray,
    valid: np.ndarray,
    *,
    alignment: str = 'none',
    output: str = 'depth',
    min_depth: float = 1e-3,
    max_depth: float = 10.0,
) -> np.ndarray:
    """Turn a prediction into depth between ``min_depth`` and ``max_depth``.

    Args:
        pred: What the network predicts, (H, W) or (M,).
        target: Depth [m], of this shape, positive where valid.
        valid: Bool mask, of this shape, of the pixels that are evaluated: the fit sees no other.
        alignment: 'none'; 'median', depth times the ratio of medians; 'lstsq', the zero-shot
            protocol of DPT's Table 1 (arXiv:2103.13413): scale and shift by least squares to
            1 / target, disparity clamped to at least 1 / max_depth, inverted.
        output: What ``pred`` is: 'relative' (disparity up to scale and shift), 'disparity' [1/m],
            or 'depth' [m]. With 'lstsq' depth is clamped to at least ``min_depth`` and inverted
            before the fit.
        min_depth: Lower end of the range [m].
        max_depth: Upper end of the range [m], the protocol's cap.

    Returns:
        Depth [m], of this shape, float64; NaN where ``pred`` is, which no valid pixel may be.

    Raises:
        ValueError: If the shapes differ, no pixel is valid, or ``check_alignment`` objects.
    """
    check_alignment(alignment, output)
    if not pred.shape == target.shape == valid.shape:
        raise ValueError(
            'prediction, target and mask must have one shape, got '
            f'{pred.shape}, {target.shape} and {valid.shape}'
        )
    if not valid.any():
        raise ValueError('there is no valid pixel to align to')
    pred = pred.astype(np.float64, copy=False)
    with np.errstate(over='ignore', invalid='ignore'):  # pixels outside the mask may be infinite
        if alignment == 'lstsq':
            disparity = 1 / np.maximum(pred, min_depth) if output == 'depth' else pred
            scale, shift = fit_scale_and_shift(disparity[valid], 1 / target[valid])
            depth = 1 / np.maximum(scale * disparity + shift, 1 / max_depth)
        else:
            depth = pred if output == 'depth' else 1 / np.maximum(pred, SMALLEST_DISPARITY)
            if alignment == 'median':
                depth = depth * fit_median_scale(depth[valid], target[valid])
        return np.clip(depth, min_depth, max_depth)
