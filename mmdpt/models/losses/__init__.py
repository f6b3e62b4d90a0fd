"""Losses for depth: ``loss(pred, target)`` on (N, 1, H, W), NaN where the target is invalid."""

from .abs_rel_loss import AbsRelLoss
from .gradient_matching_loss import GradientMatchingLoss
from .silog_loss import SiLogLoss
from .ssi_loss import SSILoss
from .ssi_trimmed_loss import SSITrimmedLoss

__all__ = ['AbsRelLoss', 'GradientMatchingLoss', 'SSILoss', 'SSITrimmedLoss', 'SiLogLoss']
