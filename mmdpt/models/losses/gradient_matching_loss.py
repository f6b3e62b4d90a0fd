"""Multi-scale gradient matching (MegaDepth, arXiv:1804.00607, section 4; MiDaS, equation 11)."""

import torch
import torch.nn as nn
from torch import Tensor

from mmdpt.registry import MODELS

from .alignment import ALIGNMENTS, REDUCTIONS, aligned_residual, average, check_option, mask_invalid


@MODELS.register_module()
class GradientMatchingLoss(nn.Module):
    """Ask that the aligned residual R be flat: ``sum over scales of 1/M sum |dx R| + |dy R|``.

    Scale k takes every 2^k-th row and column of R. A difference counts where both its pixels are
    valid; M is the number of valid pixels of that scale. MegaDepth's is on log depth:
    ``alignment='none', space='log'``.

    Args:
        scales: Number of scales, strides 1, 2, 4, ...
        alignment: 'median', 'median_zeros', 'lstsq' or 'none', see ``alignment.aligned_residual``.
        space: 'linear': the maps as they are; 'log': their logarithms.
        reduction: 'image': mean over the images; 'batch': one sum over one count, per scale.
        eps: Smallest value that has a logarithm here, as in ``SiLogLoss``: smaller predictions
            count as it, without a gradient; pixels whose target is not positive as invalid.
        loss_weight: Factor of the result.
        loss_name: Name among the losses, starting with ``loss_``.

    Raises:
        ValueError: If an option is unknown, or ``scales`` or ``eps`` is not positive.
    """

    def __init__(
        self,
        scales: int = 4,
        alignment: str = 'median',
        reduction: str = 'image',
        loss_weight: float = 1.0,
        loss_name: str = 'loss_grad',
        space: str = 'linear',
        eps: float = 1e-3,
    ) -> None:
        super().__init__()
        if scales < 1:
            raise ValueError(f'scales must be at least 1, got {scales}')
        if not eps > 0:
            raise ValueError(f'eps must be positive, got {eps}')
        self.scales = scales
        self.alignment = check_option('alignment', alignment, ALIGNMENTS)
        self.space = check_option('space', space, ('linear', 'log'))
        self.eps = eps
        self.reduction = check_option('reduction', reduction, REDUCTIONS)
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compare the gradients of two maps.

        Args:
            pred: Relative disparity, or in the target's unit if not aligned, (N, 1, H, W).
            target: Disparity or depth, (N, 1, H, W), not finite where invalid.

        Returns:
            A scalar.

        Raises:
            ValueError: If the shapes differ or are not (N, 1, H, W).
        """
        pred, target, valid = mask_invalid(pred, target)
        with torch.autocast(pred.device.type, enabled=False):
            if self.space == 'log':
                valid = valid & (target > 0)
                pred, target = (map_.clamp_min(self.eps).log() for map_ in (pred, target))
            residual = aligned_residual(pred, target, valid, self.alignment)
            loss = residual.new_zeros(())
            for stride in (2**k for k in range(self.scales)):
                level, mask = residual[:, ::stride, ::stride], valid[:, ::stride, ::stride]
                sums = total_variation(level, mask)
                loss = loss + average(sums, mask.flatten(1).sum(1), self.reduction)
            return self.loss_weight * loss


def total_variation(values: Tensor, valid: Tensor) -> Tensor:
    """Add up the absolute differences of neighbours that are both valid, (N, H, W) to (N,)."""
    across = torch.where(valid[:, :, 1:] & valid[:, :, :-1], values.diff(dim=2).abs(), 0)
    down = torch.where(valid[:, 1:] & valid[:, :-1], values.diff(dim=1).abs(), 0)
    return across.flatten(1).sum(1) + down.flatten(1).sum(1)
