"""From a segmentation head's logits to labels in an image's own pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmdpt.models.segmentors.depth_inference import as_seen
from mmdpt.visualization.segmentation import default_palette

CLASSES_AT_ONCE = 8
"""Full-resolution maps that are in memory together: 150 of a 12 MP photograph take 7 GB."""

Colour = tuple[int, int, int]


def label_map(logits: Tensor, meta: dict, align_corners: bool, threshold: float = 0.5) -> Tensor:
    """Label every pixel of the original image as mmseg does, in less memory.

    Args:
        logits: (C, H, W) float32 at the size of the network's input.
        meta: The sample's, for padding, flip and ``ori_shape``.
        align_corners: Of the resizing, the head's.
        threshold: Of the probability of class 1 where C is 1.

    Returns:
        (H', W') int64; the first of classes that are equally likely.
    """
    logits = as_seen(logits, meta)

    def resized(some: Tensor) -> Tensor:
        return F.interpolate(
            some[None], meta['ori_shape'][:2], mode='bilinear', align_corners=align_corners
        )[0]

    if len(logits) == 1:
        return (resized(logits)[0].sigmoid() > threshold).long()
    best, labels = resized(logits[:CLASSES_AT_ONCE]).max(dim=0)
    for start in range(CLASSES_AT_ONCE, len(logits), CLASSES_AT_ONCE):
        greatest, index = resized(logits[start : start + CLASSES_AT_ONCE]).max(dim=0)
        better = greatest > best
        best = torch.where(better, greatest, best)
        labels = torch.where(better, index + start, labels)
    return labels


def classes_and_palette(
    dataset_meta: dict | None, num_classes: int
) -> tuple[tuple[str, ...], tuple[Colour, ...]]:
    """Give a name and a colour (RGB) to every class; numbers and colours to the nameless."""
    meta = dataset_meta or {}
    classes = tuple(meta.get('classes') or ())
    if len(classes) != num_classes:
        classes = tuple(f'class {number}' for number in range(num_classes))
    palette = meta.get('palette') or ()
    if len(palette) != num_classes:
        palette = default_palette(num_classes)
    return classes, tuple((int(red), int(green), int(blue)) for red, green, blue in palette)
