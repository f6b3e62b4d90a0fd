"""Data sets and pipeline steps."""

from mmdpt import _openmmlab  # noqa: F401  first: keeps the host packages quiet

from .depth_dataset import DepthDataset
from .depth_list import DepthListDataset
from .diw import DIWDataset
from .eth3d import ETH3DDataset
from .kitti import KITTIDepthDataset
from .nyu import NYUDepthDataset
from .samplers import BalancedSampler
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
from .transforms import (
    KBCrop,
    LoadAnnotations,
    LoadDepth,
    LoadImageFromFile,
    NYUCrop,
    PackDepthInputs,
    PackSegInputs,
    PhotoMetricDistortion,
    RandomCrop,
    RandomCropDepth,
    RandomFlip,
    RandomRotateDepth,
    RandomZoomDepth,
    ResizeAsTransformers,
    ResizeDepth,
)

__all__ = [
    'ADE20KDataset',
    'BalancedSampler',
    'CityscapesDataset',
    'DIWDataset',
    'DepthDataset',
    'DepthListDataset',
    'ETH3DDataset',
    'KBCrop',
    'KITTIDepthDataset',
    'LoadAnnotations',
    'LoadDepth',
    'LoadImageFromFile',
    'NYUCrop',
    'NYUDepthDataset',
    'PackDepthInputs',
    'PackSegInputs',
    'PascalContextDataset',
    'PascalContextDataset59',
    'PhotoMetricDistortion',
    'RandomCrop',
    'RandomCropDepth',
    'RandomFlip',
    'RandomRotateDepth',
    'RandomZoomDepth',
    'ResizeAsTransformers',
    'ResizeDepth',
    'SUNRGBDDataset',
    'ScenesDataset',
    'SegDataset',
    'SintelDataset',
]
