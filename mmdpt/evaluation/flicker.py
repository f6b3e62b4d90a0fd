"""How much the depth of a video changes from frame to frame beyond the true depth."""

from typing import NamedTuple

import numpy as np

from .depth_alignment import align_depth


class Flicker(NamedTuple):
    """Mean change from frame to frame; 0.01 is about 1 %."""

    pixels: float
    """Of each pixel."""
    frames: float
    """Of each frame's median: the part that a scale can take away."""


def flicker(
    preds: np.ndarray, targets: np.ndarray, output: str = 'relative', max_depth: float = 80.0
) -> Flicker:
    """Compute the mean absolute change from frame to frame of log(predicted / true depth).

    Ours. Like the temporal alignment error of Video Depth Anything (arXiv:2501.12375) it is a
    relative change of depth, and scale and shift are fitted once for all frames: a fit for each
    would hide the flicker. That one follows the points as the camera moves; here each pixel is
    compared with itself, so that no camera is needed.

    Args:
        preds: Predictions, (T, H, W).
        targets: Depth [m], (T, H, W), positive; NaN where it is not known.
        output: What the predictions are: 'relative' disparity is aligned by least squares to
            1 / target; 'depth' [m] and 'disparity' [1/m] are taken as they are.
        max_depth: Cap of the predicted depth [m].

    Returns:
        Means over the pixels whose depth is known in both of two consecutive frames.

    Raises:
        ValueError: If the shapes differ, there are no such pixels, or the output is unknown.
    """
    valid = np.isfinite(targets) & np.isfinite(preds)
    alignment = 'lstsq' if output == 'relative' else 'none'
    depth = align_depth(
        preds, targets, valid, alignment=alignment, output=output, max_depth=max_depth
    )
    changes = [each[np.isfinite(each)] for each in np.diff(np.log(depth / targets), axis=0)]
    changes = [each for each in changes if each.size]
    if not changes:
        raise ValueError('there is no pixel of known depth in two consecutive frames')
    medians = [np.median(each) for each in changes]
    return Flicker(float(np.abs(np.concatenate(changes)).mean()), float(np.abs(medians).mean()))
