"""Resize images exactly as Depth Anything 3's own code."""

import cv2
import numpy as np

from mmdpt.registry import TRANSFORMS

from .step import Step, note_resize


@TRANSFORMS.register_module()
class ResizeAsDepthAnything3(Step):
    """Resize the longer side to a size, then both sides to the nearest multiples of a patch.

    OpenCV averages areas where the image shrinks and interpolates bicubically where it grows
    (ByteDance-Seed/Depth-Anything-3@2c21ea8, utils/io/input_processor.py). It resizes the image
    only; load ground truth after it.

    Args:
        size: Longer side [px].
        multiple: Both sides become multiples of this [px], the greater one on a tie.
    """

    def __init__(self, size: int = 504, multiple: int = 14) -> None:
        self.size = size
        self.multiple = multiple

    def transform(self, results: dict) -> dict:
        """Update ``img`` (H, W, 3) and its size; add ``scale`` and ``scale_factor`` (w, h)."""
        image = results['img']
        height, width = image.shape[:2]
        factor = self.size / max(width, height)
        image = _resize(image, [max(1, round(side * factor)) for side in (width, height)])
        half = self.multiple // 2
        scale = [
            max(1, (side + half) // self.multiple * self.multiple) for side in image.shape[1::-1]
        ]
        results['img'] = _resize(image, scale)
        note_resize(results, (height, width), keep_ratio=True)
        return results


def _resize(image: np.ndarray, size: list[int]) -> np.ndarray:
    """Resize to width and height, bicubically if one of them grows."""
    grows = size[0] > image.shape[1] or size[1] > image.shape[0]
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA)
