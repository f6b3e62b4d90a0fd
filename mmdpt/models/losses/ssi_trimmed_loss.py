"""Scale- and shift-invariant trimmed loss (MiDaS, arXiv:1907.01341, section 5)."""

import torch
import torch.nn as nn
from torch import Tensor

from mmdpt.registry import MODELS

from .alignment import ALIGNMENTS, REDUCTIONS, aligned_residual, average, check_option, mask_invalid

PER_MILLION = 1_000_000


@MODELS.register_module()
class SSITrimmedLoss(nn.Module):
    """Align, drop the largest residuals of each image, add up the rest: ``1 / (2M) sum |r|``.

    M counts all valid pixels of the image, the dropped ones included; ``floor((1 - trim) M)``
    residuals stay.

    Args:
        trim: Share of the valid pixels to drop, in [0, 1).
        alignment: 'median' (the paper's), 'median_zeros', 'lstsq' or 'none', see
            ``alignment.aligned_residual``.
        reduction: 'image': mean over the images; 'batch': one sum over one count.
        variant: 'paper', or 'gist' for the authors' public gist, which takes the zeros of invalid
            pixels into the median and drops the largest residuals of the whole batch. Then every
            image counts by its pixels, whatever the reduction.
        loss_weight: Factor of the result.
        loss_name: Name among the losses, starting with ``loss_``.

    Raises:
        ValueError: If an option is unknown, ``trim`` is out of range, or the gist's variant is to
            align otherwise than by the median.
    """

    def __init__(
        self,
        trim: float = 0.2,
        alignment: str = 'median',
        reduction: str = 'image',
        variant: str = 'paper',
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ssi_trim',
    ) -> None:
        super().__init__()
        if not 0 <= trim < 1:
            raise ValueError(f'trim must be in [0, 1), got {trim}')
        self.trim = trim
        self.alignment = check_option('alignment', alignment, ALIGNMENTS)
        self.reduction = check_option('reduction', reduction, REDUCTIONS)
        self.variant = check_option('variant', variant, ('paper', 'gist'))
        if variant == 'gist':
            check_option("alignment with variant='gist'", alignment, ('median', 'median_zeros'))
            self.alignment = 'median_zeros'
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
            residual = aligned_residual(pred, target, valid, self.alignment).abs()
            if self.variant == 'gist':  # the batch is trimmed as if it were one image
                residual, valid = residual.reshape(1, -1), valid.reshape(1, -1)
            residual, valid = residual.flatten(1), valid.flatten(1)
            count = valid.sum(1)
            kept = trimmed_sum(residual, valid, count, self.trim)
            return self.loss_weight * average(kept, 2 * count, self.reduction)


def trimmed_sum(residual: Tensor, valid: Tensor, count: Tensor, trim: float) -> Tensor:
    """Add up, per row (N, P), the ``floor((1 - trim) * count)`` smallest valid residuals."""
    # In integers, where 0.7 * 10 is 7.
    kept = count * round((1 - trim) * PER_MILLION) // PER_MILLION
    ranked = torch.where(valid, residual, torch.inf).sort(1).values
    rank = torch.arange(ranked.shape[1], device=ranked.device)
    total = torch.where(rank < kept[:, None], ranked, 0).sum(1)
    # A NaN ranks last: it would be dropped unseen.
    return torch.where(ranked[:, -1:].isnan().any(1), torch.nan, total)
