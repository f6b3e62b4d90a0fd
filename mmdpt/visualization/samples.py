"""Pictures of what a pipeline gives to the model: image | labels | depth."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from .depth import depth_panel
from .layout import GAP, below, beside
from .legend import LINE_HEIGHT, write_line
from .segmentation import overlay_with_classes

LEAST_WIDTH = 240
"""A narrower sample is enlarged [px], for its legend to be read."""


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
        classes, palette = (metainfo.get(key) or () for key in ('classes', 'palette'))
        parts.append(overlay_with_classes(image, labels, classes, palette))
    if 'gt_depth_map' in targets:
        parts.append(_measured(image, _resize(targets.gt_depth_map.data[0].numpy(), size)))
    return beside(parts)


def stack_panels(panels: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Lay panels, (H, W, 3) RGB, below each other, each under its caption."""
    width = max(panel.shape[1] for _, panel in panels)
    rows = []
    for caption, panel in panels:
        title = np.full((LINE_HEIGHT, width, 3), 255, np.uint8)
        write_line(title, caption, 2, 0)
        rows.append(below([title, panel], gap=0))
    return below(rows)


def _measured(image: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Depth [m] and its colour bar; a map of no valid pixel is black, without a scale."""
    if not np.isfinite(depth).any():
        return np.zeros_like(image)
    return depth_panel(image, None, depth)[:, image.shape[1] + GAP :]


def _resize(
    picture: np.ndarray, size: tuple[int, int], interpolation: int = cv2.INTER_NEAREST
) -> np.ndarray:
    """Bring to (width, height)."""
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=interpolation)
