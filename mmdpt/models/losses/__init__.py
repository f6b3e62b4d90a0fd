"""Losses for depth: ``loss(pred, target)`` on (N, 1, H, W), NaN where the target is invalid."""

from .depth_losses import AbsRelLoss, DepthLoss, SiLogLoss
from .midas_losses import GradientMatchingLoss, SSILoss, SSITrimmedLoss

__all__ = [
    'AbsRelLoss',
    'DepthLoss',
    'GradientMatchingLoss',
    'SSILoss',
    'SSITrimmedLoss',
    'SiLogLoss',
]
