"""MPI Sintel's depth (Butler et al., ECCV 2012), 436 x 1024 px, float32 `.dpt` files."""

from typing import Any

from mmdpt.registry import DATASETS

from .depth_dataset import DepthDataset


@DATASETS.register_module()
class SintelDataset(DepthDataset):
    """The training sequences of MPI Sintel with their depth [m].

    Layout of `MPI-Sintel-complete.zip` and `MPI-Sintel-depth-training-20150305.zip` unpacked into
    one folder, ``data_root``::

        training/final/alley_1/frame_0001.png
        training/clean/alley_1/frame_0001.png
        training/depth/alley_1/frame_0001.dpt

    The 23 sequences have 1,064 frames. The depth has no mask. The sky has a very large depth, so
    that a maximum depth excludes it.

    The arguments are those of ``DepthDataset``.
    """

    def __init__(self, **kwargs: Any) -> None:
        prefix = dict(img_path='training/final', depth_map_path='training/depth')
        defaults = dict(depth_map_suffix='.dpt', data_prefix=prefix)
        super().__init__(depth_scale=1, img_suffix='.png', **{**defaults, **kwargs})
