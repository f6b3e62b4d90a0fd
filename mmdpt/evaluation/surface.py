"""Depth edges and normals of a depth map."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmdpt.errors import InputError

EDGE_THRESHOLD = 0.02
"""By how much the disparity at an edge differs at least from the mean around it.

A sharp step of depth by 5 % does so; a plane never does, however steep.
"""
EDGE_REACH = 200
"""How many times the reach of an edge goes into the longer side of the map; at least 2 px."""
ROUNDING = 1e-5
"""Relative bend of a disparity that counts as none."""


def depth_edges(depth: np.ndarray, threshold: float = EDGE_THRESHOLD) -> np.ndarray:
    """Find the pixels at depth edges, where a map slides from one object to the next.

    There, pixels nearer than the mean around them meet pixels farther than it, by more than the
    threshold. As MoGe's ``depth_occlusion_edge_numpy`` (microsoft/MoGe@f648255), except that the
    reach grows with the map: so does the slide.

    Args:
        depth: Depth [m], (H, W).
        threshold: Relative deviation of the disparity from its mean; infinite: there is no edge.

    Returns:
        (H, W) bool.

    Raises:
        InputError: If the threshold is not positive.
    """
    if not threshold > 0:
        raise InputError(f'the edge threshold must be positive, got {threshold}')
    if threshold == np.inf:
        return np.zeros(depth.shape, bool)
    disparity = _disparity(depth)
    seen = np.isfinite(disparity)
    reach = max(2, round(max(depth.shape) / EDGE_REACH))
    window = (2 * reach + 1, 2 * reach + 1)
    total, number = (
        cv2.blur(values.astype(np.float64), window, borderType=cv2.BORDER_CONSTANT)
        for values in (np.where(seen, disparity, 0), seen)
    )
    mean = total / np.maximum(number, 1e-9)
    with np.errstate(invalid='ignore'):
        ends = disparity > mean * (1 + threshold), mean > disparity * (1 + threshold)
    near, far = (cv2.dilate(end.astype(np.uint8), np.ones(window, np.uint8)) > 0 for end in ends)
    return near & far


def surface_normals(
    depth: np.ndarray, intrinsics: Sequence[float], predicted_size: tuple[int, int] | None = None
) -> np.ndarray:
    """Compute unit normals that point to the camera's side; x right, y down, z forward.

    The disparity of a plane is linear in the pixel, so its slopes give the normal without error.
    They are taken from the straighter side of each pixel, not across an edge.

    The slopes of an enlarged map jump from one predicted pixel to the next, and its normals would
    have stripes. So they are computed where the network predicted, then enlarged.

    Args:
        depth: Depth along the optical axis [m], (H, W).
        intrinsics: The camera, for a map of this size: fx, fy, cx, cy [px], as ``Intrinsics``.
        predicted_size: Height and width of the map before it was enlarged; None: it was not.

    Returns:
        (H, W, 3) float32; NaN where there is no depth, or too little around.
    """
    fx, fy, cx, cy = intrinsics
    whole = _disparity(depth)
    size = np.minimum(depth.shape, predicted_size or depth.shape)
    enlarged = tuple(size) != depth.shape
    # linear: at the centres of the predicted pixels the enlarged map is what was predicted
    disparity = cv2.resize(whole, size[::-1].tolist()) if enlarged else whole
    ratios = np.array(depth.shape) / size
    columns = (np.arange(size[1]) + 0.5) * ratios[1] - 0.5 - cx
    rows = ((np.arange(size[0]) + 0.5) * ratios[0] - 0.5 - cy)[:, None]
    across, down = _slopes(disparity) / ratios[1], _slopes(disparity.T).T / ratios[0]
    ahead = disparity - across * columns - down * rows
    normals = _unit(-np.stack([fx * across, fy * down, ahead], axis=-1))
    if enlarged:
        normals = _unit(cv2.resize(np.nan_to_num(normals), depth.shape[::-1]))
        normals[np.isnan(whole)] = np.nan
    return normals.astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    with np.errstate(invalid='ignore'):  # none: 0 / 0
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _disparity(depth: np.ndarray) -> np.ndarray:
    """Invert depth, float64; NaN where there is none."""
    valid = np.isfinite(depth) & (depth > 0)
    return np.where(valid, 1 / np.where(valid, depth, 1).astype(np.float64), np.nan)


def _slopes(values: np.ndarray) -> np.ndarray:
    """Give the slope along the rows of (H, W) [1/px], the mean of both sides', straight first."""
    padded = np.pad(values, ((0, 0), (2, 2)), constant_values=np.nan)
    beyond, before, after, farther = (
        padded[:, start : start + values.shape[1]] for start in (0, 1, 3, 4)
    )
    slopes = np.stack([values - before, after - values])
    bends = np.stack([values - 2 * before + beyond, values - 2 * after + farther])
    weights = np.nan_to_num(1 / (bends**2 + (ROUNDING * values) ** 2))
    with np.errstate(invalid='ignore'):  # no side: 0 / 0
        return (np.nan_to_num(slopes) * weights).sum(axis=0) / weights.sum(axis=0)
