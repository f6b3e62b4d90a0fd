"""Draw label maps."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps

from .legend import class_legend
from .tiling import below, beside

ALPHA = 0.7
"""Share of the class colour in an overlay."""
IGNORED = (0, 0, 0)
STRIPES = (IGNORED, (255, 255, 255))
"""Ignored pixels where classes have colours; one of them may be black or white."""
STRIPE = 4
"""Width of a stripe along a row [px]."""
WRONG = (230, 30, 60)
FADED = 0.35
"""Share of the image, mixed with white, where a prediction is right."""
UNNAMED_COLOURS = 'tab20'

Colour = tuple[int, int, int]


def colourise(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Colour a label map (H, W) by a palette of RGB; ignored values, beyond it, are striped."""
    table = np.array([*palette, *STRIPES], np.uint8)
    known = (labels >= 0) & (labels < len(palette))
    rows, columns = np.ogrid[: labels.shape[0], : labels.shape[1]]
    return table[np.where(known, labels, len(palette) + (rows + columns) // STRIPE % 2)]


def overlay(
    image: np.ndarray, labels: np.ndarray, palette: Sequence[Sequence[int]], alpha: float = ALPHA
) -> np.ndarray:
    """Mix the colours of labels (H, W) into their image, (H, W, 3) uint8 RGB."""
    return (alpha * colourise(labels, palette) + (1 - alpha) * image).astype(np.uint8)


def overlay_with_classes(
    image: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> np.ndarray:
    """Draw labels over their image, and a legend of the classes in it below.

    The image is (H, W, 3) uint8 RGB, and the picture higher by the legend. Labels (H, W) beyond the
    classes are striped. Without names the values serve as names; without a palette, RGB
    of every class, twenty colours take turns.
    """
    seen = np.unique(labels).tolist()
    names = classes or [str(value) for value in range(255)]
    palette = palette or default_palette(len(names))
    legend = [(names[k], palette[k]) for k in seen if 0 <= k < len(names)]
    if len(legend) < len(seen):
        legend.append(('ignored: striped', IGNORED))
    picture = overlay(image, labels, palette)
    return below([picture, class_legend(legend, image.shape[1])], gap=0)


def default_palette(num_classes: int) -> list[list[int]]:
    """Assign one of twenty colours to each class, in turn."""
    colours = (np.array(colormaps[UNNAMED_COLOURS].colors) * 255).astype(int).tolist()  # type: ignore[attr-defined]
    return [colours[value % len(colours)] for value in range(num_classes)]


def classes_and_palette(
    dataset_meta: dict | None, num_classes: int
) -> tuple[tuple[str, ...], tuple[Colour, ...]]:
    """Give a name and a colour (RGB) to every class; classes without a name are numbered."""
    meta = dataset_meta or {}
    classes = tuple(meta.get('classes') or ())
    if len(classes) != num_classes:
        classes = tuple(f'class {number}' for number in range(num_classes))
    palette = meta.get('palette') or ()
    if len(palette) != num_classes:
        palette = default_palette(num_classes)
    return classes, tuple((int(red), int(green), int(blue)) for red, green, blue in palette)


def segmentation_panel(
    image: np.ndarray,
    truth: np.ndarray | None,
    prediction: np.ndarray,
    palette: Sequence[Sequence[int]],
    alpha: float = ALPHA,
) -> np.ndarray:
    """Draw image | ground truth | prediction | error side by side, or image | prediction alone.

    Pictures are (H, W, 3) uint8 RGB, labels (H, W). The palette has the RGB of every class; labels
    beyond it are ignored. ``alpha`` is the share of the class colour in the overlays.
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
    """Draw wrong pixels red, right ones as the faded image, and ignored ones black.

    Pictures are (H, W, 3) uint8 RGB, labels (H, W); those from ``num_classes`` on are ignored.
    """
    picture = (255 - FADED * (255 - image.astype(np.float32))).round().astype(np.uint8)
    picture[prediction != truth] = WRONG
    picture[truth >= num_classes] = IGNORED
    return picture
