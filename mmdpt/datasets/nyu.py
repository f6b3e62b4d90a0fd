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

    The arguments are those of ``DepthDataset``.
    """

    def __init__(self, *, ann_file: str = '', **kwargs: Any) -> None:
        defaults: dict = dict(depth_scale=1000)
        if ann_file:
            defaults.update(data_prefix=dict(img_path='', depth_map_path=''))
        super().__init__(ann_file=ann_file, **{**defaults, **kwargs})
