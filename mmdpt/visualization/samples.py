"""Draw the samples that a pipeline gives to the model: image | labels | depth."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from .depth import colourise_normals, depth_panel
from .legend import LINE_HEIGHT, write_line
from .segmentation import overlay_with_classes
from .tiling import GAP, below, beside

LEAST_WIDTH = 240
"""Narrower samples are enlarged to this width [px], so that the legend is readable."""


def sample_panel(sample: Mapping, metainfo: Mapping, width: int | None = None) -> np.ndarray:
    """Draw image | labels | depth of a packed sample side by side, with legends below.

    Labels and depth are resized to the image, since test pipelines leave them at the file's size.

    Args:
        sample: ``inputs``, (3, H, W) BGR in [0, 255], and ``data_samples`` with ``gt_sem_seg``,
            ``gt_depth_map`` [m] or both.
        metainfo: ``classes`` and ``palette`` of the data set, if it has labels.
        width: Width of a column [px]; by default the sample's own, but at least 240.

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
    if 'gt_normals_map' in targets:
        vectors = targets.gt_normals_map.data.permute(1, 2, 0).numpy()
        parts.append(_resize(colourise_normals(vectors), size))
    return beside(parts)


def stack_panels(panels: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Arrange panels, (H, W, 3) RGB, from top to bottom, each under its caption."""
    width = max(panel.shape[1] for _, panel in panels)
    rows = []
    for caption, panel in panels:
        title = np.full((LINE_HEIGHT, width, 3), 255, np.uint8)
        write_line(title, caption, 2, 0)
        rows.append(below([title, panel], gap=0))
    return below(rows)


def _measured(image: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Draw depth [m] with its colour bar; without any valid pixel, draw black."""
    if not np.isfinite(depth).any():
        return np.zeros_like(image)
    return depth_panel(image, None, depth)[:, image.shape[1] + GAP :]


def _resize(
    picture: np.ndarray, size: tuple[int, int], interpolation: int = cv2.INTER_NEAREST
) -> np.ndarray:
    """Resize to (width, height)."""
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=interpolation)
