"""Distort colours by tables: an image of 8 bits has 256 values a channel."""

import cv2
import mmcv
import numpy as np
from mmseg.datasets.transforms import PhotoMetricDistortion as MMSegPhotoMetricDistortion

from mmdpt.registry import TRANSFORMS

VALUES = np.arange(256, dtype=np.uint8)
HUES = 180
"""Of OpenCV's 8-bit HSV, half a degree each."""


@TRANSFORMS.register_module()
class PhotoMetricDistortion(MMSegPhotoMetricDistortion):
    """mmseg's, of the same random numbers and with the same result."""

    def convert(self, img: np.ndarray, alpha: float = 1, beta: float = 0) -> np.ndarray:
        """Give img * alpha + beta, clipped to 0..255 and cut off to uint8."""
        if img.dtype != np.uint8:
            return super().convert(img, alpha, beta)
        return cv2.LUT(img, super().convert(VALUES, alpha, beta))

    def hue(self, img: np.ndarray) -> np.ndarray:
        """Turn the hue of a BGR image by as much as ``hue_delta``, half of the times."""
        if img.dtype != np.uint8:
            return super().hue(img)
        if np.random.randint(2):
            img = mmcv.bgr2hsv(img)
            delta = np.random.randint(-self.hue_delta, self.hue_delta)
            table = ((VALUES.astype(int) + delta) % HUES).astype(np.uint8)
            img[:, :, 0] = cv2.LUT(img[:, :, 0], table)
            img = mmcv.hsv2bgr(img)
        return img
