"""Pictures of label maps."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps

from .layout import below, beside
from .legend import class_legend

ALPHA = 0.7
"""Share of the class colour in a picture of labels."""
IGNORED = (0, 0, 0)
WRONG = (230, 30, 60)
FADED = 0.35
"""Share of the image, beside white, where a prediction is right."""
UNNAMED_COLOURS = 'tab20'


def colourise(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Colour a label map (H, W) by a palette of RGB; values beyond it, ignored ones, are black."""
    table = np.array([*palette, IGNORED], np.uint8)
    known = (labels >= 0) & (labels < len(palette))
    return table[np.where(known, labels, len(palette))]


def overlay(
    image: np.ndarray, labels: np.ndarray, palette: Sequence[Sequence[int]], alpha: float = ALPHA
) -> np.ndarray:
    """Lay the colours of labels (H, W) over their image, (H, W, 3) uint8 RGB."""
    return (alpha * colourise(labels, palette) + (1 - alpha) * image).astype(np.uint8)


def overlay_with_classes(
    image: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> np.ndarray:
    """Lay labels over their image, and the classes that are in it below.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W); values beyond the classes, ignored ones, are black and not named.
        classes: Names; if empty, the values themselves.
        palette: RGB of every class; if empty, twenty colours in turn.

    Returns:
        (H + legend, W, 3) uint8 RGB.
    """
    seen = np.unique(labels).tolist()
    names = classes or [str(value) for value in range(255)]
    palette = palette or default_palette(len(names))
    legend = [(names[k], palette[k]) for k in seen if 0 <= k < len(names)]
    picture = overlay(image, labels, palette)
    return below([picture, class_legend(legend, image.shape[1])], gap=0)


def default_palette(num_classes: int) -> list[list[int]]:
    """Give each class one of twenty colours in turn."""
    colours = (np.array(colormaps[UNNAMED_COLOURS].colors) * 255).astype(int).tolist()  # type: ignore[attr-defined]
    return [colours[value % len(colours)] for value in range(num_classes)]


def segmentation_panel(
    image: np.ndarray,
    truth: np.ndarray | None,
    prediction: np.ndarray,
    palette: Sequence[Sequence[int]],
    alpha: float = ALPHA,
) -> np.ndarray:
    """Lay image | ground truth | prediction | error side by side.

    Args:
        image: (H, W, 3) uint8 RGB.
        truth: Labels (H, W), or None to leave truth and error out.
        prediction: Labels (H, W).
        palette: RGB of every class; labels beyond it are ignored ones.
        alpha: Share of the class colour in the pictures of labels.

    Returns:
        (H, W', 3) uint8 RGB.
    """
    columns = [image]
    for labels in (truth, prediction):
        if labels is not None:
            columns.append(overlay(image, labels, palette, alpha))
    if truth is not None:
        columns.append(label_errors(image, truth, prediction, len(palette)))
    return beside(columns)


def label_errors(
    image: np.ndarray, truth: np.ndarray, prediction: np.ndarray, num_classes: int
) -> np.ndarray:
    """Draw where a prediction is wrong: red; right, the faded image; ignored, black.

    Args:
        image: (H, W, 3) uint8 RGB.
        truth: Labels (H, W), ignored from ``num_classes`` on.
        prediction: Labels (H, W).
        num_classes: Number of classes.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    picture = (255 - FADED * (255 - image.astype(np.float32))).round().astype(np.uint8)
    picture[prediction != truth] = WRONG
    picture[truth >= num_classes] = IGNORED
    return picture
