"""Whole models: encoder, decoder, losses, inference."""

from .depth_estimator import DepthEstimator
from .encoder_decoder import EncoderDecoder
from .joint_estimator import JointEstimator
from .seg_tta import SegTTAModel

__all__ = ['DepthEstimator', 'EncoderDecoder', 'JointEstimator', 'SegTTAModel']
