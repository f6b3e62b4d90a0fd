"""Read depth as metres with NaN for every invalid pixel, or say which file is wrong and how."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.errors import InputError
from mmdpt.registry import TRANSFORMS

MEDIAN_SAMPLES = 4096


@TRANSFORMS.register_module()
class LoadDepth(BaseTransform):
    """Read ``depth_map_path`` into ``gt_depth_map``, (H, W) float32 [m], NaN = invalid.

    Invalid are values <= 0, infinite or NaN, those in ``invalid_values``, and pixels where the
    mask, ``depth_mask_path``, is 0. After loading the depth is value / depth_scale, or
    depth_scale / value where ``is_disparity``. ``depth_encoding`` is that of ``read_depth_file``.

    Args:
        median_range: Least and greatest plausible median of a depth map [m], to find a wrong
            ``depth_scale``; None for depth in no unit. Not applied to disparity.
        allow_empty: Whether a map without any valid pixel is no error.
        backend_args: Of mmengine's file backend.
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
            InputError: If the file or its mask is missing, unreadable or of another size than the
                image; if a depth file has 8 bits, its median is no plausible depth, or no pixel
                is valid.
        """
        path = results['depth_map_path']
        values = read_depth_file(
            path, self.backend_args, results.get('depth_encoding'), results.get('ori_shape')
        )
        self._check_size('depth file', path, values, results)
        is_disparity = results.get('is_disparity', False)
        if values.dtype.itemsize == 1 and not is_disparity:
            raise InputError(
                f'depth file {path} has 8 bits ({values.dtype}): expected 16 bits or more; an '
                'image for looking at, or saved with the wrong type?'
            )
        valid = np.isfinite(values) & (values > 0)
        for value in results.get('invalid_values', ()):
            valid &= values != value
        if results.get('depth_mask_path'):
            mask = read_depth_file(results['depth_mask_path'], self.backend_args)
            self._check_size('mask', results['depth_mask_path'], mask, results)
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
        # disparity next to 0, float64 beyond float32, and what is not valid
        with np.errstate(over='ignore', divide='ignore', invalid='ignore'):
            depth = values.astype(np.float32)
            if is_disparity:
                np.divide(np.float32(scale), depth, out=depth)
            else:
                depth /= np.float32(scale)
            valid &= (depth > 0) & (depth < np.inf)
        np.copyto(depth, np.nan, where=~valid)
        return depth

    @staticmethod
    def _check_size(what: str, path: str, values: np.ndarray, results: dict) -> None:
        if 'ori_shape' in results and values.shape != tuple(results['ori_shape'][:2]):
            raise InputError(
                f'{what} {path} is {values.shape[1]} x {values.shape[0]} px, its image '
                f'{results["img_path"]} {results["ori_shape"][1]} x {results["ori_shape"][0]} px'
            )

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
                f'{results["depth_scale"]:g}, the units per metre, right? (LoadDepth.median_range '
                'is for depth in no unit)'
            )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(median_range={self.median_range}, '
            f'allow_empty={self.allow_empty})'
        )
