"""The components of DPT."""

from mmdpt import _openmmlab  # noqa: F401  first: keeps the host packages quiet

from .backbones import ResNetV2, TimmDPTBackbone, VisionTransformerDPT
from .decode_heads import DepthDPTHead, DPTDecoder, DPTHead
from .layers import Fusion, Reassemble
from .losses import (
    AbsRelLoss,
    DepthLoss,
    GradientMatchingLoss,
    LogL1Loss,
    SiLogLoss,
    SSILoss,
    SSITrimmedLoss,
)
from .segmentors import (
    DepthDataPreProcessor,
    DepthEstimator,
    EncoderDecoder,
    JointEstimator,
    SegTTAModel,
)

__all__ = [
    'AbsRelLoss',
    'DPTDecoder',
    'DPTHead',
    'DepthDPTHead',
    'DepthDataPreProcessor',
    'DepthEstimator',
    'DepthLoss',
    'EncoderDecoder',
    'Fusion',
    'GradientMatchingLoss',
    'JointEstimator',
    'LogL1Loss',
    'Reassemble',
    'ResNetV2',
    'SSILoss',
    'SSITrimmedLoss',
    'SegTTAModel',
    'SiLogLoss',
    'TimmDPTBackbone',
    'VisionTransformerDPT',
]
