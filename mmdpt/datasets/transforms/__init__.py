"""Pipeline steps."""

from .as_mmseg import (
    PackDepthInputs,
    PackSegInputs,
    PhotoMetricDistortion,
    RandomCrop,
    RandomFlip,
)
from .depth_geometry import KBCrop, NYUCrop, RandomCropDepth, RandomRotateDepth, ResizeDepth
from .depth_zoom import RandomZoomDepth
from .loading import LoadAnnotations, LoadDepth, LoadImageFromFile
from .normals import NormalsFromDepth
from .resize_as_depth_anything_3 import ResizeAsDepthAnything3
from .resize_as_transformers import ResizeAsTransformers

__all__ = [
    'KBCrop',
    'LoadAnnotations',
    'LoadDepth',
    'LoadImageFromFile',
    'NYUCrop',
    'NormalsFromDepth',
    'PackDepthInputs',
    'PackSegInputs',
    'PhotoMetricDistortion',
    'RandomCrop',
    'RandomCropDepth',
    'RandomFlip',
    'RandomRotateDepth',
    'RandomZoomDepth',
    'ResizeAsDepthAnything3',
    'ResizeAsTransformers',
    'ResizeDepth',
]
