"""Pack images and maps for the model."""

import cv2
import numpy as np
import torch
from mmseg.datasets.transforms import PackSegInputs as MMSegPackSegInputs

from mmdpt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackSegInputs(MMSegPackSegInputs):
    """mmseg's, with the image's channels split by OpenCV, in a fraction of the time."""

    def transform(self, results: dict) -> dict:
        """Return ``inputs``, (3, H, W), and ``data_samples``, a SegDataSample."""
        image = results.get('img')
        if image is None or image.ndim != 3 or not image.flags.c_contiguous:
            return super().transform(results)
        planes = np.empty((image.shape[2], *image.shape[:2]), image.dtype)
        cv2.split(image, list(planes))
        packed = super().transform({key: results[key] for key in results if key != 'img'})
        return dict(inputs=torch.from_numpy(planes), **packed)
