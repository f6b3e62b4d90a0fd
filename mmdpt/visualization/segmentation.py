"""Pictures of label maps."""

from collections.abc import Sequence

import numpy as np

from mmdpt.visualization.layout import beside

IGNORED = (0, 0, 0)


def colourise(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Colour a label map (H, W) by a palette of RGB; values beyond it, ignored ones, are black."""
    table = np.zeros((256, 3), np.uint8)
    table[:] = IGNORED
    table[: len(palette)] = palette
    return table[labels.astype(np.uint8)]


def segmentation_panel(
    image: np.ndarray,
    truth: np.ndarray | None,
    prediction: np.ndarray,
    palette: Sequence[Sequence[int]],
    alpha: float = 0.7,
) -> np.ndarray:
    """Lay image | ground truth | prediction side by side.

    Args:
        image: (H, W, 3) uint8 RGB.
        truth: Labels (H, W), or None to leave the middle out. Where they are ignored, both
            pictures are black.
        prediction: Labels (H, W).
        palette: RGB of every class.
        alpha: Share of the class colour in the pictures of labels.

    Returns:
        (H, W', 3) uint8 RGB.
    """
    columns = [image]
    for labels in (truth, prediction):
        if labels is None:
            continue
        colours = colourise(labels, palette)
        columns.append((alpha * colours + (1 - alpha) * image).astype(np.uint8))
    return beside(columns)
