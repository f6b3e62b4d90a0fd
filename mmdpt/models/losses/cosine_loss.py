"""The loss on surface normals."""

import torch
import torch.nn as nn
from torch import Tensor

from mmdpt.registry import MODELS


@MODELS.register_module()
class CosineLoss(nn.Module):
    """``1 - cos`` of the angle between unit vectors, the mean over the batch's valid pixels.

    mmpretrain's ``CosineSimilarityLoss`` multiplies by its mask, which leaves NaN a NaN.

    Args:
        loss_weight: Factor of the result.
        loss_name: Name among the losses, starting with ``loss_``.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_cosine') -> None:
        super().__init__()
        self.loss_weight, self.loss_name = loss_weight, loss_name

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compare (N, 3, H, W), with NaN where the target is invalid; gives a scalar."""
        valid = target.isfinite().all(dim=1)
        cosines = (pred * torch.nan_to_num(target)).sum(dim=1)
        return self.loss_weight * ((1 - cosines) * valid).sum() / valid.sum().clamp_min(1)
