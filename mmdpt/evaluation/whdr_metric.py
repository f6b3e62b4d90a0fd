"""How often a prediction contradicts people about which of two points is closer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdpt.errors import InputError, check_choice
from mmdpt.registry import METRICS

from .depth_alignment import OUTPUTS
from .depth_metric import image_name, leave_out_empty, read_map

SIGNS = {'<': -1, '>': 1}


@METRICS.register_module()
class WHDRMetric(BaseMetric):
    """Weighted human disagreement rate [%] on ordinal pairs, all weights 1 (DIW's are).

    Depth in the Wild (Chen et al., arXiv:1604.03901) has one pair an image. Reads from each sample
    ``pred_depth_map``, (1, H, W) or (H, W), and ``ordinal_pairs``, a sequence of
    ((y1, x1), (y2, x2), relation) in pixels of the prediction, counted from 0 (DIW's file counts
    from 1). The relation is between DEPTHS, as in DIW's file: '>' says that point 1 is farther
    away than point 2, '<' that it is closer. Larger disparity is closer, so '>' is met by
    a smaller disparity at point 1. A tie in the prediction disagrees, as in the authors' code
    (princeton-vl/relative_depth test_model_on_DIW.lua). An image without pairs is named in a
    warning and left out.

    Args:
        output: What is predicted: 'relative' or 'disparity' (larger is closer), or 'depth' (larger
            is farther).
        **kwargs: Arguments of mmengine's ``BaseMetric``: ``prefix``, ``collect_device``, ...

    Raises:
        ValueError: If ``output`` is unknown.
    """

    default_prefix = None

    def __init__(self, output: str = 'relative', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output = check_choice('output', output, OUTPUTS)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pairs of each image, and those that the prediction contradicts.

        Raises:
            InputError: If a relation is unknown, a point lies outside the map, or the prediction is
                NaN or infinite there; names the image.
        """
        for sample in data_samples:
            name = image_name(sample)
            pairs = sample.get('ordinal_pairs') or ()
            pred = read_map(sample, 'pred_depth_map') if len(pairs) else np.empty((0, 0))
            depth_order = pred if self.output == 'depth' else -pred
            disagreements = sum(not _agrees(depth_order, pair, name) for pair in pairs)
            self.results.append(
                {'img_path': name, 'pairs': len(pairs), 'disagreements': disagreements}
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return 'whdr' [%], over the pairs of all images.

        Raises:
            InputError: If no image has a pair.
        """
        scored = leave_out_empty(results, 'pairs', 'ordinal pairs')
        pairs = sum(result['pairs'] for result in scored)
        whdr = 100 * sum(result['disagreements'] for result in scored) / pairs
        print_log(f'WHDR {whdr:.2f} % of {pairs} pairs in {len(scored)} images', logger='current')
        return {'whdr': whdr}


def _agrees(depth_order: np.ndarray, pair: Sequence, name: str) -> bool:
    """Tell whether a map that grows with depth orders the two points as the pair says."""
    first, second, relation = pair
    if relation not in SIGNS:
        raise InputError(f"{name}: the relation of a pair must be '<' or '>', got {relation!r}")
    values = []
    for y, x in (first, second):
        row, column = int(y), int(x)
        height, width = depth_order.shape
        if not (0 <= row < height and 0 <= column < width):
            raise InputError(f'{name}: point ({row}, {column}) lies outside {height} x {width}')
        values.append(depth_order[row, column])
    if not np.isfinite(values).all():
        raise InputError(f'{name}: the prediction is NaN or infinite at a point of a pair')
    return bool((values[0] - values[1]) * SIGNS[relation] > 0)
