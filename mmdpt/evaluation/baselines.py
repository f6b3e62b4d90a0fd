"""The scores of a segmentation and of a depth map that ignore the image."""

import warnings
from collections.abc import Iterable

import numpy as np
import torch

from .depth_errors import ERRORS, depth_errors
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


def median_depth(
    train_depths: Iterable[np.ndarray], test_depths: Iterable[np.ndarray]
) -> dict[str, dict[str, float]]:
    """Score the medians of the training depths.

    Depth maps [m] are (H, W) of one size, NaN where invalid. Gives means over the test images of
    ``depth_errors``, for 'constant', the median of all training pixels, and for 'per_pixel', each
    pixel's median, the constant where it was never valid.

    Raises:
        ValueError: If there is no valid training pixel, or no valid test pixel.
    """
    maps = list(train_depths)
    if not any(np.isfinite(depth).any() for depth in maps):
        raise ValueError('there is no valid training depth')
    train = np.stack(maps)
    constant = float(np.nanmedian(train))
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'All-NaN slice', RuntimeWarning)
        per_pixel = np.nanmedian(train, axis=0)
    per_pixel = np.where(np.isfinite(per_pixel), per_pixel, constant)
    predictions = {'constant': np.full_like(per_pixel, constant), 'per_pixel': per_pixel}
    errors: dict[str, list[list[float]]] = {name: [] for name in predictions}
    for truth in test_depths:
        valid = np.isfinite(truth)
        if not valid.any():
            continue
        for name, prediction in predictions.items():
            of_image = depth_errors(prediction[valid], truth[valid])
            errors[name].append([of_image[error] for error in ERRORS])
    if not errors['constant']:
        raise ValueError('there is no valid test depth')
    return {
        name: dict(zip(ERRORS, np.mean(rows, axis=0).tolist(), strict=True))
        for name, rows in errors.items()
    }
