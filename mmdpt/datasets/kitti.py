"""KITTI depth (Uhrig et al., arXiv:1708.06500), Eigen's split, 16-bit PNGs in 1/256 m."""

from typing import Any

from mmdpt.registry import DATASETS

from .depth_dataset import DepthDataset


@DATASETS.register_module()
class KITTIDepthDataset(DepthDataset):
    """KITTI with the Eigen list files of BTS (github.com/cleinc/bts, train_test_inputs).

    Lines are 'image depth focal'. The test list has 697 lines; 45 have 'None' for the depth file
    and are left out. ``KBCrop`` crops to 352 x 1216 px.

    Args:
        ann_file: The list file.
        data_prefix: Folders of the raw images and of the annotated depth.
        depth_scale: Units per metre.
        **kwargs: Arguments of ``DepthDataset``.
    """

    def __init__(
        self,
        *,
        ann_file: str,
        data_prefix: dict | None = None,
        depth_scale: float = 256,
        **kwargs: Any,
    ) -> None:
        if data_prefix is None:
            data_prefix = dict(img_path='raw', depth_map_path='data_depth_annotated')
        super().__init__(
            ann_file=ann_file, data_prefix=data_prefix, depth_scale=depth_scale, **kwargs
        )
