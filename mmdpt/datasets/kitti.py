"""KITTI depth (Uhrig et al., arXiv:1708.06500), Eigen's split, 16-bit PNGs in 1/256 m."""

from typing import Any

from mmdpt.registry import DATASETS

from .depth_dataset import DepthDataset


@DATASETS.register_module()
class KITTIDepthDataset(DepthDataset):
    """KITTI with the Eigen list files of BTS (github.com/cleinc/bts, train_test_inputs).

    Lines are 'image depth focal'. The test list has 697 lines; 45 have 'None' for the depth file
    and are left out. ``KBCrop`` crops to 352 x 1216 px.

    The arguments are those of ``DepthDataset``.
    """

    def __init__(self, *, ann_file: str, **kwargs: Any) -> None:
        prefix = dict(img_path='raw', depth_map_path='data_depth_annotated')
        defaults = dict(depth_scale=256, data_prefix=prefix)
        super().__init__(ann_file=ann_file, **{**defaults, **kwargs})
