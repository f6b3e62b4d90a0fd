"""Pipeline steps."""

from .depth_geometry import KBCrop, NYUCrop, RandomCropDepth, RandomRotateDepth, ResizeDepth
from .depth_loading import LoadDepth
from .depth_packing import PackDepthInputs
from .depth_zoom import RandomZoomDepth
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
    'RandomZoomDepth',
    'ResizeAsTransformers',
    'ResizeDepth',
]
