"""The components of DPT."""

from mmdpt import _openmmlab  # noqa: F401  first: keeps the host packages quiet

from .backbones import ResNetV2, VisionTransformerDPT
from .decode_heads import DepthDPTHead, DPTHead
from .depth_data_preprocessor import DepthDataPreProcessor
from .layers import Fusion, Reassemble
from .losses import AbsRelLoss, GradientMatchingLoss, SiLogLoss, SSILoss, SSITrimmedLoss
from .segmentors import DepthEstimator, EncoderDecoder, JointEstimator, SegTTAModel

__all__ = [
    'AbsRelLoss',
    'DPTHead',
    'DepthDPTHead',
    'DepthDataPreProcessor',
    'DepthEstimator',
    'EncoderDecoder',
    'Fusion',
    'GradientMatchingLoss',
    'JointEstimator',
    'Reassemble',
    'ResNetV2',
    'SSILoss',
    'SSITrimmedLoss',
    'SegTTAModel',
    'SiLogLoss',
    'VisionTransformerDPT',
]
