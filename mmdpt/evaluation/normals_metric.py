"""Angles between predicted and true surface normals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdpt.errors import InputError
from mmdpt.registry import METRICS

from .depth_metric import image_name, leave_out_empty

THRESHOLDS = (11.25, 22.5, 30.0)


@METRICS.register_module()
class NormalsMetric(BaseMetric):
    """Angular errors [degree] over the pixels of all images, as DSINE's (arXiv:2403.00712).

    'angle' is their mean, 'angle_rmse' the root of the mean square; 'within_11', 'within_22' and
    'within_30' are the shares of pixels [%] below 11.25, 22.5 and 30 degrees. Reads
    ``pred_normals_map`` and ``gt_normals_map``, (3, H, W) unit vectors, NaN where there is none.

    Args:
        **kwargs: Arguments of mmengine's ``BaseMetric``: ``prefix``, ``collect_device``, ...
    """

    default_prefix = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add up the errors of each image.

        Raises:
            InputError: If an image has no ground truth, or of another size; names the image.
        """
        for sample in data_samples:
            name = image_name(sample)
            if 'gt_normals_map' not in sample:
                raise InputError(f'{name} has no normals to compare with: NormalsFromDepth?')
            pred, target = (
                np.asarray(sample[key]['data'].cpu(), dtype=np.float64)
                for key in ('pred_normals_map', 'gt_normals_map')
            )
            if pred.shape != target.shape:
                sizes = f'prediction {pred.shape} and ground truth {target.shape}'
                raise InputError(f'{name}: {sizes} differ in size')
            cosines = (pred * target).sum(axis=0)
            angles = np.degrees(np.arccos(cosines[np.isfinite(target).all(axis=0)].clip(-1, 1)))
            sums = [angles.sum(), (angles**2).sum(), *((angles < x).sum() for x in THRESHOLDS)]
            self.results.append(dict(img_path=name, pixels=angles.size, sums=sums))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average over the pixels of all images.

        Raises:
            InputError: If no image has a valid pixel.
        """
        scored = leave_out_empty(results, 'pixels', 'normals')
        pixels = sum(result['pixels'] for result in scored)
        mean, square, *within = np.sum([result['sums'] for result in scored], axis=0) / pixels
        metrics = dict(angle=float(mean), angle_rmse=float(np.sqrt(square)))
        for threshold, share in zip(THRESHOLDS, within, strict=True):
            metrics[f'within_{int(threshold)}'] = float(100 * share)
        said = ', '.join(f'{name} {value:.2f}' for name, value in metrics.items())
        print_log(f'normals of {pixels} pixels in {len(scored)} images: {said}', logger='current')
        return metrics
