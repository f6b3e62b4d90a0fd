"""Resize images exactly as the image processor of an exported model."""

import numpy as np
import torch
from torchvision.transforms.v2.functional import (  # type: ignore[import-untyped]
    InterpolationMode,
    resize,
)

from mmdpt.registry import TRANSFORMS

from .depth_geometry import fit_size
from .step import Step, note_resize


@TRANSFORMS.register_module()
class ResizeAsTransformers(Step):
    """Resize the image as transformers' DPTImageProcessor (5.23, models/dpt): with antialiasing.

    isl-org/DPT and Depth Anything resize with OpenCV, without antialiasing (``ResizeDepth``).
    Pillow, a backend of mmcv's ``Resize``, differs from torchvision in the last bits.

    It resizes the image only; load ground truth after it.

    Args:
        size: Side of the square [px].
        keep_ratio: Keep the aspect ratio (Depth Anything), by the one of the two factors that
            changes the image less; False: squeeze the image to the square (DPT).
        multiple: With ``keep_ratio`` both sides become multiples of this [px].
    """

    def __init__(self, size: int, keep_ratio: bool = False, multiple: int = 1) -> None:
        self.size = size
        self.keep_ratio = keep_ratio
        self.multiple = multiple

    def transform(self, results: dict) -> dict:
        """Update ``img`` (H, W, 3) uint8 and its size; add ``scale`` and ``scale_factor`` (w, h).

        Raises:
            ValueError: If the image is not uint8; the processor rounds to uint8.
        """
        image = results['img']
        if image.dtype != np.uint8:
            raise ValueError(f'expected a uint8 image, got {image.dtype}: leave out to_float32')
        height, width = image.shape[:2]
        scale = (self.size, self.size)
        if self.keep_ratio:
            scale = fit_size((width, height), scale, 'minimal', self.multiple)
        pixels = torch.from_numpy(image).permute(2, 0, 1)
        resized = resize(pixels, [scale[1], scale[0]], InterpolationMode.BICUBIC, antialias=True)
        results['img'] = np.ascontiguousarray(resized.permute(1, 2, 0).numpy())
        note_resize(results, (height, width), self.keep_ratio)
        return results
