"""Losses for depth: ``loss(pred, target)`` on (N, 1, H, W), NaN where the target is invalid."""

from .depth_losses import AbsRelLoss, DepthLoss, LogL1Loss, SiLogLoss
from .midas_losses import GradientMatchingLoss, SSILoss, SSITrimmedLoss

__all__ = [
    'AbsRelLoss',
    'DepthLoss',
    'GradientMatchingLoss',
    'LogL1Loss',
    'SSILoss',
    'SSITrimmedLoss',
    'SiLogLoss',
]
