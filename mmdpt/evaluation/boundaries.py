"""How well a depth map shows edges: boundary precision, recall and F1 as published."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

CONVENTIONS = ('depth_pro', 'moge_1', 'moge_2', 'moge_3')
SCORES = ('precision', 'recall', 'f1')
THRESHOLDS = np.linspace(1.05, 1.25, 10)
"""Ratios of two depths above which an edge lies between them."""

Map = NDArray[np.float64]


def boundary_scores(pred: Map, target: Map, convention: str) -> dict[str, float]:
    """Compare the edges of two depth maps: pairs of pixels whose ratio exceeds a threshold.

    - 'depth_pro' (arXiv:2410.02073, section 3.2; apple/ml-depth-pro, boundary_metrics.py): pairs
      of adjacent pixels, precision and recall averaged over the four directions; the thresholds
      weigh as they are.
    - 'moge_R' (arXiv:2410.19115; microsoft/MoGe, moge/test/metrics.py): a pixel and each one
      within R px, counted together; the thresholds weigh by what they exceed 1.

    Both average over the thresholds 1.05 to 1.25. The published codes have no invalid pixels
    between valid ones; here a pair counts where both pixels are valid.

    Args:
        pred: Depth [m], (H, W), positive; NaN where it is not compared.
        target: Depth [m], (H, W), positive; NaN where ``pred`` is NaN.
        convention: One of ``CONVENTIONS``.

    Returns:
        ``SCORES``, in [0, 1]; 0 where there is no edge.
    """
    depth_pro = convention == 'depth_pro'
    pairs = _adjacent if depth_pro else _within
    radius = 1 if depth_pro else int(convention[-1])
    counts = np.array(
        [_count(*ratios) for ratios in zip(pairs(pred, radius), pairs(target, radius), strict=True)]
    )  # (directions, 3, thresholds)
    if not depth_pro:
        counts = counts.sum(axis=0, keepdims=True)
    both, in_pred, in_target = np.maximum(counts, [[0], [1], [1]]).transpose(1, 0, 2)
    precision, recall = (both / in_pred).mean(axis=0), (both / in_target).mean(axis=0)
    found = precision + recall > 0
    f1 = 2 * precision * recall / np.where(found, precision + recall, 1)
    weights = THRESHOLDS if depth_pro else THRESHOLDS - 1
    means = np.average([precision, recall, f1], axis=1, weights=weights)
    return dict(zip(SCORES, means.tolist(), strict=True))


def _count(pred: Map, target: Map) -> list[list[int]]:
    """Count edges of one direction in both maps, in the first and in the second, by threshold."""
    rows = []
    for threshold in THRESHOLDS:
        edges, true_edges = pred > threshold, target > threshold  # NaN compares false
        rows.append([np.count_nonzero(x) for x in (edges & true_edges, edges, true_edges)])
    return np.transpose(rows).tolist()


def _adjacent(depth: Map, radius: int) -> Iterator[Map]:
    """Give the ratios of disparity of each pixel and its neighbour, one of four after another."""
    disparity = 1 / np.maximum(depth, 1e-6)
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        yield disparity[one] / disparity[other]
        yield disparity[other] / disparity[one]


def _within(depth: Map, radius: int) -> Iterator[Map]:
    """Give the ratios of depth of the pixels in a disc to its centre, at least radius inside."""
    height, width = depth.shape
    centre = depth[radius : height - radius, radius : width - radius]
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            if 0 < down**2 + right**2 <= radius**2:
                rows = slice(radius + down, height - radius + down)
                columns = slice(radius + right, width - radius + right)
                yield depth[rows, columns] / centre
