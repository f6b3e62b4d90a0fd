"""Whole models: encoder, decoder, losses, inference."""

from .depth_estimator import DepthDataPreProcessor, DepthEstimator, JointEstimator
from .encoder_decoder import EncoderDecoder
from .seg_tta import SegTTAModel

__all__ = [
    'DepthDataPreProcessor',
    'DepthEstimator',
    'EncoderDecoder',
    'JointEstimator',
    'SegTTAModel',
]
