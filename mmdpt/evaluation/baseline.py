"""The score of a segmentation that ignores the image."""

from collections.abc import Iterable

import numpy as np
import torch

from .iou_metric import IoUMetric

IGNORE_INDEX = 255


def most_frequent_class(
    train_labels: Iterable[np.ndarray], test_labels: Iterable[np.ndarray], num_classes: int
) -> dict[str, float]:
    """Score the per-pixel most frequent class of the training labels.

    Label maps are (H, W) of one size, 255 for ignored pixels. Gives 'aAcc' (pixel accuracy), 'mIoU'
    and 'mAcc' [%], as mmseg's IoUMetric counts them.
    """
    counts: np.ndarray | None = None
    for label in train_labels:
        if counts is None:
            counts = np.zeros((num_classes, *label.shape), np.int64)
        for index in range(num_classes):
            counts[index] += label == index
    if counts is None:
        raise ValueError('there are no training labels')
    prediction = torch.from_numpy(counts.argmax(axis=0))
    areas = [
        IoUMetric.intersect_and_union(
            prediction, torch.from_numpy(label.astype(np.int64)), num_classes, IGNORE_INDEX
        )
        for label in test_labels
    ]
    totals = [sum(area) for area in zip(*areas, strict=True)]
    metrics = IoUMetric.total_area_to_metrics(*totals, ['mIoU'])
    return {
        'aAcc': float(metrics['aAcc']) * 100,
        'mIoU': float(np.nanmean(metrics['IoU'])) * 100,
        'mAcc': float(np.nanmean(metrics['Acc'])) * 100,
    }
