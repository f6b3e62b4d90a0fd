"""mmseg's steps with the same random numbers and results in less time; and depth packed too."""

from collections.abc import Sequence

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms.utils import cache_randomness
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs as MMSegPackSegInputs
from mmseg.datasets.transforms import PhotoMetricDistortion as MMSegPhotoMetricDistortion
from mmseg.datasets.transforms import RandomCrop as MMSegRandomCrop
from mmseg.datasets.transforms import RandomFlip as MMSegRandomFlip

from mmdpt.registry import TRANSFORMS

VALUES = np.arange(256, dtype=np.uint8)
"""All values of 8 bits."""
HUES = 180
"""Hues of OpenCV's 8-bit HSV, half a degree each."""
UNKNOWN_TO_OPENCV = (np.int64, np.uint64)
"""It refuses them, or gives int32."""
CROP_ATTEMPTS = 10
"""Crops that mmseg draws to keep to ``cat_max_ratio``."""
FLIP_CODES = dict(horizontal=1, vertical=0, diagonal=-1)
"""OpenCV's codes of mmseg's directions."""
META_KEYS = (
    'img_path',
    'seg_map_path',
    'depth_map_path',
    'ori_shape',
    'crop_box',
    'img_shape',
    'pad_shape',
    'scale_factor',
    'flip',
    'flip_direction',
    'reduce_zero_label',
    'focal',
    'intrinsics',
    'ordinal_pairs',
)


@TRANSFORMS.register_module()
class RandomCrop(MMSegRandomCrop):
    """mmseg's, which counts labels by a histogram instead of sorting them."""

    @cache_randomness
    def crop_bbox(self, results: dict) -> tuple[int, int, int, int]:
        """Draw top, bottom, left and right [px].

        A crop is drawn again, up to ten times, while one class covers more than ``cat_max_ratio``
        of the pixels that are not ``ignore_index``. Without labels the first one is taken.
        """
        height, width = results['img'].shape[:2]
        box = self._draw(height, width)
        if self.cat_max_ratio < 1 and 'gt_seg_map' in results:
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
        """Count the pixels of each class in the labels."""
        if labels.dtype == np.uint8:
            values = VALUES
            counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel().astype(int)
        else:
            values, counts = np.unique(labels, return_counts=True)
        return counts[(counts > 0) & (values != self.ignore_index)]


@TRANSFORMS.register_module()
class RandomFlip(MMSegRandomFlip):
    """mmseg's, with an image of positive strides, which halves the time of the next steps."""

    def _flip(self, results: dict) -> None:
        image = results['img']
        super()._flip(results)
        if image.dtype not in UNKNOWN_TO_OPENCV:
            flipped = cv2.flip(image, FLIP_CODES[results['flip_direction']])
            results['img'] = flipped.reshape(image.shape)


@TRANSFORMS.register_module()
class PhotoMetricDistortion(MMSegPhotoMetricDistortion):
    """mmseg's, by tables: an 8-bit image has 256 values a channel."""

    def convert(self, img: np.ndarray, alpha: float = 1, beta: float = 0) -> np.ndarray:
        """Give img * alpha + beta, clipped to 0..255 and truncated to uint8."""
        if img.dtype != np.uint8:
            return super().convert(img, alpha, beta)
        return cv2.LUT(img, super().convert(VALUES, alpha, beta))

    def hue(self, img: np.ndarray) -> np.ndarray:
        """Turn the hue of a BGR image by up to ``hue_delta``, with a probability of one half."""
        if img.dtype != np.uint8:
            return super().hue(img)
        if np.random.randint(2):
            img = mmcv.bgr2hsv(img)
            delta = np.random.randint(-self.hue_delta, self.hue_delta)
            table = ((VALUES.astype(int) + delta) % HUES).astype(np.uint8)
            img[:, :, 0] = cv2.LUT(img[:, :, 0], table)
            img = mmcv.hsv2bgr(img)
        return img


@TRANSFORMS.register_module()
class PackSegInputs(MMSegPackSegInputs):
    """mmseg's, with the image's channels split by OpenCV."""

    def transform(self, results: dict) -> dict:
        """Return ``inputs``, (3, H, W), and ``data_samples``, a SegDataSample."""
        image = results.get('img')
        if image is None or image.ndim != 3 or not image.flags.c_contiguous:
            return super().transform(results)
        if image.dtype in UNKNOWN_TO_OPENCV:
            return super().transform(results)
        planes = np.empty((image.shape[2], *image.shape[:2]), image.dtype)
        cv2.split(image, list(planes))
        packed = super().transform({key: results[key] for key in results if key != 'img'})
        return dict(inputs=torch.from_numpy(planes), **packed)


@TRANSFORMS.register_module()
class PackDepthInputs(PackSegInputs):
    """Pack the depth as ``gt_depth_map``, (1, H, W) float32 [m], and labels if there are any.

    Normals become ``gt_normals_map``, (3, H, W), mirrored if the image is.

    ``focal``, ``intrinsics`` and the points of ``ordinal_pairs`` [px] are those of the image file;
    resizing and cropping do not change them.

    Args:
        meta_keys: Keys to keep in the sample's meta information, where they exist.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        super().__init__(meta_keys)

    def transform(self, results: dict) -> dict:
        """Return ``inputs``, (3, H, W), and ``data_samples``, a SegDataSample."""
        if 'gt_depth_map' in results:  # a view of a crop would keep the whole map in memory
            depth = np.ascontiguousarray(results['gt_depth_map'], dtype=np.float32)
            results = {**results, 'gt_depth_map': depth}
        packed = super().transform(results)
        if 'gt_normals_map' in results:
            normals = results['gt_normals_map'].transpose(2, 0, 1).copy()
            for axis, across in enumerate(('horizontal', 'vertical')):
                if results.get('flip') and results['flip_direction'] in (across, 'diagonal'):
                    normals[axis] *= -1
            normals_map = PixelData(data=torch.from_numpy(normals))
            packed['data_samples'].set_data(dict(gt_normals_map=normals_map))
        return packed
