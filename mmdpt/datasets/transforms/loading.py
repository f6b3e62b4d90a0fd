"""Read images, labels and depth, or say which file is wrong and how."""

from typing import Any

import cv2
import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations as MMSegLoadAnnotations

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.datasets.label_values import as_classes
from mmdpt.errors import InputError
from mmdpt.files.image_checks import check_image, read_whole
from mmdpt.registry import TRANSFORMS

from .step import Step

UNREADABLE = (AssertionError, OSError, ValueError, SyntaxError, cv2.error)
"""Exceptions that mmcv, Pillow and OpenCV raise for a file that is no image."""
MEDIAN_SAMPLES = 4096
"""Pixels of a depth map whose median is checked."""


def read_image(what: str, path: str, flag: str, step: Any) -> np.ndarray:
    """Decode an image file with the settings of mmcv's loading step."""
    try:
        data = read_whole(path, step.backend_args)
        check_image(data)
        image = mmcv.imfrombytes(data, flag=flag, backend=step.imdecode_backend)
        if image is None:
            raise ValueError('it is no image')
    except UNREADABLE as error:
        raise InputError(f'cannot read {what} {path}: {error}') from error
    return image


def _check_size(what: str, path: str, values: np.ndarray, results: dict) -> None:
    """Check that a map has the size of its image, if that is loaded."""
    if 'ori_shape' in results and values.shape != tuple(results['ori_shape'][:2]):
        raise InputError(
            f'{what} {path} is {values.shape[1]} x {values.shape[0]} px, its image '
            f'{results["img_path"]} {results["ori_shape"][1]} x {results["ori_shape"][0]} px'
        )


@TRANSFORMS.register_module()
class LoadImageFromFile(MMCVLoadImageFromFile):
    """mmcv's loader, naming a file that it cannot read."""

    def transform(self, results: dict) -> dict | None:
        """Read ``img_path`` into ``img`` (H, W, 3) uint8 BGR.

        Raises:
            InputError: If the file is missing, empty, cut short or no readable image.
        """
        try:
            image = read_image('image', results['img_path'], self.color_type, self)
        except InputError:
            if self.ignore_empty:
                return None
            raise
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadAnnotations(MMSegLoadAnnotations):
    """mmseg's loader of label maps, with the labels checked against the classes."""

    def _load_seg_map(self, results: dict) -> None:
        """Read ``seg_map_path`` into ``gt_seg_map`` (H, W) uint8 with 255 for ignored pixels.

        See ``as_classes``. Where the path is None, nothing is read.

        Raises:
            InputError: If the file is no readable single-channel image, differs in size from the
                image, or holds a value that is neither a class nor ignored; or if this step and
                the data set have different ``reduce_zero_label``.
        """
        path = results['seg_map_path']
        if path is None:
            return
        reduces = bool(results.get('reduce_zero_label'))
        if self.reduce_zero_label is not None and self.reduce_zero_label != reduces:
            raise InputError(
                f'LoadAnnotations has reduce_zero_label={self.reduce_zero_label}, and its data set '
                f'{reduces}: leave it to the data set'
            )
        label = read_image('label', path, 'unchanged', self).squeeze()
        if label.ndim != 2:
            raise InputError(
                f'label {path} has {label.shape[-1]} channels: expected one, holding class numbers'
            )
        _check_size('label', path, label, results)
        results['gt_seg_map'] = as_classes(label, results)
        results['seg_fields'].append('gt_seg_map')


@TRANSFORMS.register_module()
class LoadDepth(Step):
    """Read ``depth_map_path`` into ``gt_depth_map``, (H, W) float32 [m], NaN = invalid.

    A pixel is invalid if its value is <= 0, infinite, NaN or in ``invalid_values``, or if the
    mask, ``depth_mask_path``, is 0 there. The depth is value / depth_scale, or
    depth_scale / value if ``is_disparity``. ``depth_encoding`` is that of ``read_depth_file``.
    Where the path is None, nothing is read.

    Args:
        median_range: Least and greatest plausible median of a depth map [m], to find a wrong
            ``depth_scale``; None for depth without a unit. Not applied to disparity.
        allow_empty: Whether to accept a map without any valid pixel.
        backend_args: Arguments of MMEngine's file backend.
    """

    def __init__(
        self,
        median_range: tuple[float, float] | None = (0.01, 1000),
        allow_empty: bool = False,
        backend_args: dict | None = None,
    ) -> None:
        self.median_range = median_range
        self.allow_empty = allow_empty
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add ``gt_depth_map`` to the results and to their ``seg_fields``.

        Raises:
            InputError: If the file or its mask is missing, unreadable or differs in size from the
                image; if a depth file has 8 bits, an implausible median, or no valid pixel.
        """
        path = results['depth_map_path']
        if path is None:
            return results
        values = read_depth_file(
            path, self.backend_args, results.get('depth_encoding'), results.get('ori_shape')
        )
        _check_size('depth file', path, values, results)
        is_disparity = results.get('is_disparity', False)
        if values.dtype.itemsize == 1 and not is_disparity:
            raise InputError(
                f'depth file {path} has 8 bits ({values.dtype}): expected 16 bits or more. A '
                'picture of depth holds no metres: write the numbers as 16-bit PNG, TIFF, PFM or '
                'NPY. DepthListDataset reads 8-bit disparity, in its column disparity'
            )
        valid = np.isfinite(values) & (values > 0)
        for value in results.get('invalid_values', ()):
            valid &= values != value
        if results.get('depth_mask_path'):
            mask = read_depth_file(results['depth_mask_path'], self.backend_args)
            _check_size('mask', results['depth_mask_path'], mask, results)
            valid &= mask != 0
        results['gt_depth_map'] = self._to_metres(
            values, valid, results['depth_scale'], is_disparity
        )
        self._check_depth(results['gt_depth_map'], results, is_disparity)
        results.setdefault('seg_fields', []).append('gt_depth_map')
        return results

    @staticmethod
    def _to_metres(
        values: np.ndarray, valid: np.ndarray, scale: float, is_disparity: bool
    ) -> np.ndarray:
        # a disparity near 0, a float64 beyond float32, and invalid values
        with np.errstate(over='ignore', divide='ignore', invalid='ignore'):
            depth = values.astype(np.float32)
            if is_disparity:
                np.divide(np.float32(scale), depth, out=depth)
            else:
                depth /= np.float32(scale)
            valid &= (depth > 0) & (depth < np.inf)
        np.copyto(depth, np.nan, where=~valid)
        return depth

    def _check_depth(self, depth: np.ndarray, results: dict, is_disparity: bool) -> None:
        path = results['depth_map_path']
        some = depth.ravel()[:: 1 + depth.size // MEDIAN_SAMPLES]
        valid = some[np.isfinite(some)]
        if not valid.size:
            valid = depth[np.isfinite(depth)]
        if not valid.size:
            if self.allow_empty:
                return
            raise InputError(f'depth file {path} has no valid pixel')
        if self.median_range is None or is_disparity:
            return
        median = float(np.median(valid))
        low, high = self.median_range
        if not low <= median <= high:
            raise InputError(
                f'depth file {path} has a median depth of {median:.4g} m: is depth_scale '
                f'{results["depth_scale"]:g}, the units per metre, right? (For depth without '
                'a unit set LoadDepth.median_range=None)'
            )
