"""The scale and shift that turn a relative model's disparity into 1/m on a data set."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmdpt.registry import METRICS

from .depth_metric import image_name, leave_out_empty, read_map


@METRICS.register_module()
class InversionFit(BaseMetric):
    """Average ``scale`` and ``shift`` of relative disparity to 1 / ground truth over images.

    As DPT does before it fine-tunes on metric depth (arXiv:2103.13413, section 4.1): each image is
    aligned by MiDaS's robust estimators, median and mean absolute deviation (arXiv:1907.01341,
    section 5), over its pixels with ground truth. Images without one, or with a constant
    prediction, are named in a warning and left out.

    Args:
        **kwargs: Arguments of mmengine's ``BaseMetric``.
    """

    default_prefix = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Fit each image; see ``DepthMetric`` for what a sample holds."""
        for sample in data_samples:
            pred, depth = (read_map(sample, f'{name}_depth_map') for name in ('pred', 'gt'))
            valid = (depth > 0) & np.isfinite(depth) & np.isfinite(pred)
            result: dict[str, Any] = dict(img_path=image_name(sample), fitted=0)
            if valid.any():
                centre, spread = centre_and_spread(pred[valid])
                target_centre, target_spread = centre_and_spread(1 / depth[valid])
                scale = target_spread / (spread or 1)
                shift = target_centre - scale * centre
                result.update(fitted=int(spread > 0), scale=scale, shift=shift)
            self.results.append(result)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average over images.

        Raises:
            InputError: If none can be aligned.
        """
        fitted = leave_out_empty(results, 'fitted', 'depth that the prediction can be aligned to')
        return {k: float(np.mean([result[k] for result in fitted])) for k in ('scale', 'shift')}


def centre_and_spread(values: np.ndarray) -> tuple[float, float]:
    """Give the median and the mean absolute deviation from it."""
    centre = float(np.median(values))
    return centre, float(np.abs(values - centre).mean())
