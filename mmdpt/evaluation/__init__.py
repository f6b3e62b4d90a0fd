"""Metrics and the baselines that a model must beat."""

from mmdpt import _openmmlab  # noqa: F401  first: keeps the host packages quiet

from .baselines import median_depth, most_frequent_class
from .boundaries import boundary_scores
from .crops import CROPS, crop_slices
from .depth_alignment import align_depth
from .depth_errors import ERRORS, depth_errors
from .depth_metric import DepthMetric
from .inversion_fit import InversionFit
from .iou_metric import IoUMetric
from .normals_metric import NormalsMetric
from .whdr_metric import WHDRMetric
from .zero_shot import zero_shot_table

__all__ = [
    'CROPS',
    'ERRORS',
    'DepthMetric',
    'InversionFit',
    'IoUMetric',
    'NormalsMetric',
    'WHDRMetric',
    'align_depth',
    'boundary_scores',
    'crop_slices',
    'depth_errors',
    'median_depth',
    'most_frequent_class',
    'zero_shot_table',
]
