"""Pictures of what a pipeline gives to the model: image | labels | depth."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib import colormaps

from mmdpt.visualization.depth import depth_panel
from mmdpt.visualization.layout import GAP, below, beside
from mmdpt.visualization.segmentation import segmentation_panel

LEAST_WIDTH = 240
"""A narrower sample is enlarged [px], for its legend to be read."""

LINE_HEIGHT = 16
TEXT_SCALE = 0.38
UNNAMED_COLOURS = 'tab20'


def sample_panel(sample: Mapping, metainfo: Mapping, width: int | None = None) -> np.ndarray:
    """Lay image | labels | depth of a packed sample side by side, legends below.

    Labels and depth, where there are any, are brought to the image's size: test pipelines leave
    them at the file's.

    Args:
        sample: ``inputs``, (3, H, W) BGR in [0, 255], and ``data_samples`` with ``gt_sem_seg``,
            ``gt_depth_map`` [m] or both.
        metainfo: ``classes`` and ``palette`` of the data set, where it has labels.
        width: Of a column [px]; None: the sample's own, or 240 if that is less.

    Returns:
        (H', W', 3) uint8 RGB.
    """
    image = sample['inputs'].permute(1, 2, 0).numpy()[..., ::-1].clip(0, 255).astype(np.uint8)
    columns = width or max(LEAST_WIDTH, image.shape[1])
    size = columns, max(1, round(image.shape[0] * columns / image.shape[1]))
    image = _resize(image, size, cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_NEAREST)
    targets = sample['data_samples']
    parts = [image]
    if 'gt_sem_seg' in targets:
        labels = _resize(targets.gt_sem_seg.data.squeeze(0).numpy().astype(np.uint8), size)
        parts.append(_labelled(image, labels, metainfo))
    if 'gt_depth_map' in targets:
        parts.append(_measured(image, _resize(targets.gt_depth_map.data[0].numpy(), size)))
    return beside(parts)


def stack_panels(panels: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Lay panels, (H, W, 3) RGB, below each other, each under its caption."""
    width = max(panel.shape[1] for _, panel in panels)
    rows = []
    for caption, panel in panels:
        title = np.full((LINE_HEIGHT, width, 3), 255, np.uint8)
        _write(title, caption, 2, 0)
        rows.append(below([title, panel], gap=0))
    return below(rows)


def _labelled(image: np.ndarray, labels: np.ndarray, metainfo: Mapping) -> np.ndarray:
    """Labels over the image, and the classes that are in it."""
    palette = metainfo.get('palette')
    if not palette:
        colours = (np.array(colormaps[UNNAMED_COLOURS].colors) * 255).astype(int).tolist()  # type: ignore[attr-defined]
        palette = [colours[value % len(colours)] for value in range(255)]
    names = metainfo.get('classes') or [str(value) for value in range(255)]
    width = image.shape[1]
    picture = segmentation_panel(image, None, labels, palette)[:, width + GAP :]
    seen = [value for value in np.unique(labels).tolist() if value < len(names)]
    legend = _class_legend([(names[k], palette[k]) for k in seen], width)
    return below([picture, legend], gap=0)


def _measured(image: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Depth [m] and its colour bar; a map of no valid pixel is black, without a scale."""
    if not np.isfinite(depth).any():
        return np.zeros_like(image)
    return depth_panel(image, None, depth)[:, image.shape[1] + GAP :]


def _class_legend(classes: Sequence[tuple[str, Sequence[int]]], width: int) -> np.ndarray:
    """Write names beside their colours, in as many lines as they need."""
    places, x, y = [], 0, 0
    for name, _ in classes:
        needed = LINE_HEIGHT + _text_width(name) + 2 * GAP
        if x and x + needed > width:
            x, y = 0, y + LINE_HEIGHT
        places.append((x, y))
        x += needed
    canvas = np.full((y + LINE_HEIGHT, width, 3), 255, np.uint8)
    for (name, colour), (x, y) in zip(classes, places, strict=True):
        canvas[y + 4 : y + LINE_HEIGHT - 1, x : x + LINE_HEIGHT - GAP] = colour
        _write(canvas, name, x + LINE_HEIGHT, y)
    return canvas


def _text_width(text: str) -> int:
    return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, 1)[0][0]


def _write(canvas: np.ndarray, text: str, x: int, y: int) -> None:
    """Write a line whose upper left corner is (x, y), in place."""
    foot = x, y + LINE_HEIGHT - 4
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(canvas, text, foot, font, TEXT_SCALE, (0, 0, 0), 1, cv2.LINE_AA)


def _resize(
    picture: np.ndarray, size: tuple[int, int], interpolation: int = cv2.INTER_NEAREST
) -> np.ndarray:
    """Bring to (width, height)."""
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=interpolation)
