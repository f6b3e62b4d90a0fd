"""Pipeline steps."""

from .colours import PhotoMetricDistortion
from .depth_geometry import KBCrop, NYUCrop, RandomCropDepth, RandomRotateDepth, ResizeDepth
from .depth_loading import LoadDepth
from .depth_packing import PackDepthInputs
from .depth_zoom import RandomZoomDepth
from .geometry import RandomCrop, RandomFlip
from .loading import LoadAnnotations, LoadImageFromFile
from .packing import PackSegInputs
from .resize_as_transformers import ResizeAsTransformers

__all__ = [
    'KBCrop',
    'LoadAnnotations',
    'LoadDepth',
    'LoadImageFromFile',
    'NYUCrop',
    'PackDepthInputs',
    'PackSegInputs',
    'PhotoMetricDistortion',
    'RandomCrop',
    'RandomCropDepth',
    'RandomFlip',
    'RandomRotateDepth',
    'RandomZoomDepth',
    'ResizeAsTransformers',
    'ResizeDepth',
]
