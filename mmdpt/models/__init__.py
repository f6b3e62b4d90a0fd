"""The components of DPT."""

from mmdpt import _openmmlab  # noqa: F401  first: keeps the host packages quiet

from .backbones.resnetv2 import ResNetV2
from .backbones.timm_backbone import TimmDPTBackbone
from .backbones.vision_transformer_dpt import VisionTransformerDPT
from .decode_heads.depth_dpt_head import DepthDPTHead
from .decode_heads.dpt_head import DPTDecoder, DPTHead
from .decode_heads.normals_dpt_head import NormalsDPTHead
from .layers.fusion import Fusion
from .layers.reassemble import Reassemble
from .losses.cosine_loss import CosineLoss
from .losses.depth_losses import AbsRelLoss, DepthLoss, LogL1Loss, SiLogLoss
from .losses.midas_losses import GradientMatchingLoss, SSILoss, SSITrimmedLoss
from .segmentors.depth_estimator import DepthDataPreProcessor, DepthEstimator, JointEstimator
from .segmentors.encoder_decoder import EncoderDecoder
from .segmentors.normals_estimator import NormalsEstimator
from .segmentors.seg_tta import SegTTAModel

__all__ = [
    'AbsRelLoss',
    'CosineLoss',
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
    'NormalsDPTHead',
    'NormalsEstimator',
    'Reassemble',
    'ResNetV2',
    'SSILoss',
    'SSITrimmedLoss',
    'SegTTAModel',
    'SiLogLoss',
    'TimmDPTBackbone',
    'VisionTransformerDPT',
]
