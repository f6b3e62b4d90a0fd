"""NYU Depth v2 (Silberman et al., ECCV 2012), 480 x 640 px, 16-bit PNGs in millimetres."""

from typing import Any

from mmdpt.registry import DATASETS

from .depth_dataset import DepthDataset


@DATASETS.register_module()
class NYUDepthDataset(DepthDataset):
    """NYU in mmseg's folders, or with a list file of BTS.

    - mmseg: ``data_prefix=dict(img_path='images/train', depth_map_path='annotations/train')``.
    - BTS: ``ann_file='nyu_train.txt'``, lines 'scene/rgb_00045.jpg scene/sync_depth_00045.png
      518.8579', paths below ``data_root``.

    Args:
        depth_scale: Units per metre.
        ann_file: The list file.
        data_prefix: Folders of images and depth.
        **kwargs: Arguments of ``DepthDataset``.
    """

    def __init__(
        self,
        *,
        depth_scale: float = 1000,
        ann_file: str = '',
        data_prefix: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if ann_file and data_prefix is None:
            data_prefix = dict(img_path='', depth_map_path='')
        super().__init__(
            depth_scale=depth_scale, ann_file=ann_file, data_prefix=data_prefix, **kwargs
        )
