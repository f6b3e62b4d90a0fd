"""Backbones whose four taps feed a DPT head."""

from .resnetv2 import ResNetV2
from .timm_backbone import TimmDPTBackbone
from .vision_transformer_dpt import VisionTransformerDPT

__all__ = ['ResNetV2', 'TimmDPTBackbone', 'VisionTransformerDPT']
