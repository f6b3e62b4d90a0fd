"""Crop and flip images with their maps, as mmseg and faster."""

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.datasets.transforms import RandomCrop as MMSegRandomCrop
from mmseg.datasets.transforms import RandomFlip as MMSegRandomFlip

from mmdpt.registry import TRANSFORMS

CROP_ATTEMPTS = 10
"""As mmseg's."""
VALUES = 256
FLIP_CODES = dict(horizontal=1, vertical=0, diagonal=-1)
"""OpenCV's."""


@TRANSFORMS.register_module()
class RandomCrop(MMSegRandomCrop):
    """mmseg's, of the same random numbers and with the same result; it sorts no labels."""

    @cache_randomness
    def crop_bbox(self, results: dict) -> tuple[int, int, int, int]:
        """Draw top, bottom, left and right [px]; again, while one class has too much of it.

        That is ``cat_max_ratio``, of the labels that are not ``ignore_index``; after ten crops the
        next is taken.
        """
        height, width = results['img'].shape[:2]
        box = self._draw(height, width)
        if self.cat_max_ratio < 1:
            for _ in range(CROP_ATTEMPTS):
                counts = self._count(self.crop(results['gt_seg_map'], box))
                if len(counts) > 1 and counts.max() / counts.sum() < self.cat_max_ratio:
                    break
                box = self._draw(height, width)
        return box

    def _draw(self, height: int, width: int) -> tuple[int, int, int, int]:
        top = np.random.randint(0, max(height - self.crop_size[0], 0) + 1)
        left = np.random.randint(0, max(width - self.crop_size[1], 0) + 1)
        return top, top + self.crop_size[0], left, left + self.crop_size[1]

    def _count(self, labels: np.ndarray) -> np.ndarray:
        """Count the pixels of each class that there is."""
        if labels.dtype == np.uint8:
            values = np.arange(VALUES)
            counts = cv2.calcHist([labels], [0], None, [VALUES], [0, VALUES]).ravel().astype(int)
        else:
            values, counts = np.unique(labels, return_counts=True)
        return counts[(counts > 0) & (values != self.ignore_index)]


@TRANSFORMS.register_module()
class RandomFlip(MMSegRandomFlip):
    """mmseg's, whose image is no view with negative strides: what follows takes half the time."""

    def _flip(self, results: dict) -> None:
        image = results['img']
        super()._flip(results)
        flipped = cv2.flip(image, FLIP_CODES[results['flip_direction']])
        results['img'] = flipped.reshape(image.shape)
