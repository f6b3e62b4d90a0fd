"""Pack image and depth for the model."""

from collections.abc import Sequence

import numpy as np

from mmdpt.registry import TRANSFORMS

from .packing import PackSegInputs

META_KEYS = (
    'img_path',
    'seg_map_path',
    'depth_map_path',
    'ori_shape',
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
class PackDepthInputs(PackSegInputs):
    """mmseg's PackSegInputs with the depth as ``gt_depth_map``, (1, H, W) float32 [m].

    A label map in the same sample is packed too. ``focal``, ``intrinsics`` and the points of
    ``ordinal_pairs`` [px] are those of the image file, whatever became of the image since.

    Args:
        meta_keys: What to keep in the sample's meta information, where there is any.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        super().__init__(meta_keys)

    def transform(self, results: dict) -> dict:
        """Return ``inputs``, (3, H, W), and ``data_samples``, a SegDataSample."""
        if 'gt_depth_map' in results:  # a view of a crop would keep the whole map in memory
            depth = np.ascontiguousarray(results['gt_depth_map'], dtype=np.float32)
            results = {**results, 'gt_depth_map': depth}
        return super().transform(results)
