"""Absolute relative error as a loss, what the metric of that name measures."""

import torch
import torch.nn as nn
from torch import Tensor

from mmdpt.registry import MODELS

from .alignment import REDUCTIONS, average, check_option, mask_invalid


@MODELS.register_module()
class AbsRelLoss(nn.Module):
    """``mean(|pred - target| / target)`` on metric depth.

    Losses on the logarithm weigh twice and half the depth alike; here, as in AbsRel, too far costs
    more than too near, so that an uncertain depth is predicted somewhat nearer.

    Args:
        reduction: 'image': mean over the images; 'batch': one mean over all pixels.
        loss_weight: Factor of the result.
        loss_name: Name among the losses, starting with ``loss_``.

    Raises:
        ValueError: If the reduction is unknown.
    """

    def __init__(
        self, reduction: str = 'image', loss_weight: float = 1.0, loss_name: str = 'loss_abs_rel'
    ) -> None:
        super().__init__()
        self.reduction = check_option('reduction', reduction, REDUCTIONS)
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compare depths.

        Args:
            pred: Depth [m], (N, 1, H, W).
            target: Depth [m], (N, 1, H, W), not finite where invalid; pixels where it is not
                positive count as invalid.

        Returns:
            A scalar.

        Raises:
            ValueError: If the shapes differ or are not (N, 1, H, W).
        """
        pred, target, valid = mask_invalid(pred, target)
        with torch.autocast(pred.device.type, enabled=False):
            valid = valid & (target > 0)
            error = torch.where(valid, (pred - target).abs() / torch.where(valid, target, 1), 0)
            sums, counts = error.flatten(1).sum(1), valid.flatten(1).sum(1)
            return self.loss_weight * average(sums, counts, self.reduction)
