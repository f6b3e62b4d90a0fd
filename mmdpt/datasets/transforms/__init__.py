"""Pipeline steps."""

from .depth_geometry import KBCrop, NYUCrop, RandomCropDepth, RandomRotateDepth, ResizeDepth
from .depth_loading import LoadDepth
from .depth_packing import PackDepthInputs
from .loading import LoadAnnotations, LoadImageFromFile
from .resize_as_transformers import ResizeAsTransformers

__all__ = [
    'KBCrop',
    'LoadAnnotations',
    'LoadDepth',
    'LoadImageFromFile',
    'NYUCrop',
    'PackDepthInputs',
    'RandomCropDepth',
    'RandomRotateDepth',
    'ResizeAsTransformers',
    'ResizeDepth',
]
