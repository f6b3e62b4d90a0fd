"""Zoom into images, which brings their pixels nearer, or out, which moves them away."""

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness

from mmdpt.registry import TRANSFORMS

from .step import Step


@TRANSFORMS.register_module()
class RandomZoomDepth(Step):
    """Scale the image by a random factor and divide the depth by it (Eigen, arXiv:1406.2283).

    For a camera of the same focal length, an object that looks twice as large is half as far away.
    A crop after this step, no larger than the smallest image, gives all images one size. The image
    is resized bilinearly; the maps in ``seg_fields`` take the nearest pixel.

    Args:
        scale: Least and greatest factor, drawn uniformly.

    Raises:
        ValueError: If the factors are not positive or not in order.
    """

    def __init__(self, scale: tuple[float, float] = (1.0, 1.5)) -> None:
        low, high = scale
        if not 0 < low <= high:
            raise ValueError(f'scale must be two positive factors in order, got {scale}')
        self.scale = (float(low), float(high))

    @cache_randomness
    def draw_factor(self) -> float:
        """Draw the factor."""
        return float(np.random.uniform(*self.scale))

    def transform(self, results: dict) -> dict:
        """Update ``img``, its size and the maps; divide ``gt_depth_map`` by the factor."""
        factor = self.draw_factor()
        height, width = results['img'].shape[:2]
        size = (round(factor * width), round(factor * height))
        results['img'] = cv2.resize(results['img'], size, interpolation=cv2.INTER_LINEAR)
        for key in results.get('seg_fields', []):
            results[key] = cv2.resize(results[key], size, interpolation=cv2.INTER_NEAREST_EXACT)
        if 'gt_depth_map' in results:
            results['gt_depth_map'] = results['gt_depth_map'] / np.float32(factor)
        results['img_shape'] = results['img'].shape[:2]
        return results
