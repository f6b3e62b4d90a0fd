"""Task heads on the fused map."""

from .depth_dpt_head import DepthDPTHead
from .dpt_head import DPTDecoder, DPTHead

__all__ = ['DPTDecoder', 'DPTHead', 'DepthDPTHead']
