"""The components of DPT."""

from mmdpt import _openmmlab  # noqa: F401  first: keeps the host packages quiet

from .backbones.resnetv2 import ResNetV2
from .backbones.timm_backbone import TimmDPTBackbone
from .backbones.vision_transformer_dpt import VisionTransformerDPT
from .decode_heads.depth_dpt_head import DepthDPTHead
from .decode_heads.dpt_head import DPTDecoder, DPTHead
from .layers.fusion import Fusion
from .layers.reassemble import Reassemble
from .losses.depth_losses import AbsRelLoss, DepthLoss, LogL1Loss, SiLogLoss
from .losses.midas_losses import GradientMatchingLoss, SSILoss, SSITrimmedLoss
from .segmentors.depth_estimator import DepthDataPreProcessor, DepthEstimator, JointEstimator
from .segmentors.encoder_decoder import EncoderDecoder
from .segmentors.seg_tta import SegTTAModel

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
