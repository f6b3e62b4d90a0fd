"""Scale- and shift-invariant loss on all pixels (MiDaS, arXiv:1907.01341, section 5)."""

import torch
import torch.nn as nn
from torch import Tensor

from mmdpt.registry import MODELS

from .alignment import ALIGNMENTS, REDUCTIONS, aligned_residual, average, check_option, mask_invalid


@MODELS.register_module()
class SSILoss(nn.Module):
    """Align, then take the mean error: ``1 / (2M) sum rho(r)`` over the M valid pixels.

    With 'lstsq' and 'mse' it is MiDaS's SSI-MSE; reduced over the batch, and with 0.5 times the
    ``GradientMatchingLoss`` of the same alignment and reduction, it is the objective that is
    widely copied under the name ScaleAndShiftInvariantLoss.

    Args:
        alignment: 'lstsq', 'median', 'median_zeros' or 'none', see ``alignment.aligned_residual``.
        criterion: rho: 'mse' squares the residual, 'mae' takes its absolute value.
        reduction: 'image': mean over the images; 'batch': one sum over one count.
        loss_weight: Factor of the result.
        loss_name: Name among the losses, starting with ``loss_``.

    Raises:
        ValueError: If an option is unknown.
    """

    def __init__(
        self,
        alignment: str = 'lstsq',
        criterion: str = 'mse',
        reduction: str = 'image',
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ssi',
    ) -> None:
        super().__init__()
        self.alignment = check_option('alignment', alignment, ALIGNMENTS)
        self.criterion = check_option('criterion', criterion, ('mse', 'mae'))
        self.reduction = check_option('reduction', reduction, REDUCTIONS)
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compare disparities up to scale and shift.

        Args:
            pred: Relative disparity, (N, 1, H, W).
            target: Disparity, (N, 1, H, W), not finite where invalid.

        Returns:
            A scalar.

        Raises:
            ValueError: If the shapes differ or are not (N, 1, H, W).
        """
        pred, target, valid = mask_invalid(pred, target)
        with torch.autocast(pred.device.type, enabled=False):
            residual = aligned_residual(pred, target, valid, self.alignment)
            error = residual.square() if self.criterion == 'mse' else residual.abs()
            sums, count = error.flatten(1).sum(1), valid.flatten(1).sum(1)
            return self.loss_weight * average(sums, 2 * count, self.reduction)
