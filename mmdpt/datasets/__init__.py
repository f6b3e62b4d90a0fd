"""Data sets, samplers and pipeline steps."""

from mmdpt import _openmmlab  # noqa: F401  first: keeps the host packages quiet

from . import transforms
from .balanced_sampler import BalancedSampler
from .concat_dataset import ConcatDataset
from .depth_dataset import DepthDataset
from .depth_list import DepthListDataset
from .diw import DIWDataset
from .eth3d import ETH3DDataset
from .kitti import KITTIDepthDataset
from .nyu import NYUDepthDataset
from .scenes_dataset import ScenesDataset
from .seg_dataset import (
    ADE20KDataset,
    CityscapesDataset,
    PascalContextDataset,
    PascalContextDataset59,
    SegDataset,
)
from .sintel import SintelDataset
from .sun_rgbd import SUNRGBDDataset
from .transforms import *  # noqa: F403

__all__ = [
    'ADE20KDataset',
    'BalancedSampler',
    'CityscapesDataset',
    'ConcatDataset',
    'DIWDataset',
    'DepthDataset',
    'DepthListDataset',
    'ETH3DDataset',
    'KITTIDepthDataset',
    'NYUDepthDataset',
    'PascalContextDataset',
    'PascalContextDataset59',
    'SUNRGBDDataset',
    'ScenesDataset',
    'SegDataset',
    'SintelDataset',
    *transforms.__all__,
]
