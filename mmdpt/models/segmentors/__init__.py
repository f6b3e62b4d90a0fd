"""Whole models: encoder, decoder, losses, inference."""

from .depth_estimator import DepthEstimator
from .encoder_decoder import EncoderDecoder
from .joint_estimator import JointEstimator

__all__ = ['DepthEstimator', 'EncoderDecoder', 'JointEstimator']
