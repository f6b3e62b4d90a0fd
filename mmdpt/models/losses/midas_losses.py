"""The losses of MiDaS, which align two maps and compare them (arXiv:1907.01341, section 5)."""

from typing import Any

import torch
from torch import Tensor

from mmdpt.errors import check_choice
from mmdpt.registry import MODELS

from .alignment import align_lstsq, align_median, own_unit
from .depth_losses import DepthLoss, check_eps, per_pixel

ALIGNMENTS = ('median', 'median_zeros', 'lstsq', 'none')
PER_MILLION = 1_000_000


@MODELS.register_module()
class SSILoss(DepthLoss):
    """Align, then take the mean error: ``1 / (2M) sum rho(r)`` over the M valid pixels.

    With 'lstsq' and 'mse' it is MiDaS's SSI-MSE; reduced over the batch, and with 0.5 times the
    ``GradientMatchingLoss`` of the same alignment and reduction, it is the objective that is
    widely copied under the name ScaleAndShiftInvariantLoss.

    Args:
        alignment: 'lstsq', 'median', 'median_zeros' or 'none', see ``aligned_residual``.
        criterion: rho: 'mse' squares the residual, 'mae' takes its absolute value.
        **kwargs: ``reduction``, ``loss_weight`` and ``loss_name`` of ``DepthLoss``.

    Raises:
        ValueError: If an option is unknown.
    """

    loss_name = 'loss_ssi'

    def __init__(self, alignment: str = 'lstsq', *, criterion: str = 'mse', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alignment = check_choice('alignment', alignment, ALIGNMENTS)
        self.criterion = check_choice('criterion', criterion, ('mse', 'mae'))

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compare disparities up to scale and shift."""
        residual = aligned_residual(pred, target, valid, self.alignment)
        error = residual.square() if self.criterion == 'mse' else residual.abs()
        return self.average(error.flatten(1).sum(1), 2 * valid.flatten(1).sum(1))


@MODELS.register_module()
class SSITrimmedLoss(DepthLoss):
    """Align, drop the largest residuals of each image, add up the rest: ``1 / (2M) sum |r|``.

    M counts all valid pixels of the image, the dropped ones included; ``floor((1 - trim) M)``
    residuals stay.

    Args:
        trim: Share of the valid pixels to drop, in [0, 1).
        alignment: 'median' (the paper's), 'median_zeros', 'lstsq' or 'none', see
            ``aligned_residual``.
        variant: 'paper', or 'gist' for the authors' public gist, which takes the zeros of invalid
            pixels into the median and drops the largest residuals of the whole batch. Then every
            image counts by its pixels, whatever the reduction.
        **kwargs: ``reduction``, ``loss_weight`` and ``loss_name`` of ``DepthLoss``.

    Raises:
        ValueError: If an option is unknown, ``trim`` is out of range, or the gist's variant is to
            align otherwise than by the median.
    """

    loss_name = 'loss_ssi_trim'

    def __init__(
        self,
        trim: float = 0.2,
        *,
        alignment: str = 'median',
        variant: str = 'paper',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= trim < 1:
            raise ValueError(f'trim must be in [0, 1), got {trim}')
        self.trim = trim
        self.alignment = check_choice('alignment', alignment, ALIGNMENTS)
        self.variant = check_choice('variant', variant, ('paper', 'gist'))
        if variant == 'gist':
            check_choice("alignment with variant='gist'", alignment, ('median', 'median_zeros'))
            self.alignment = 'median_zeros'

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compare disparities up to scale and shift."""
        residual = aligned_residual(pred, target, valid, self.alignment).abs()
        if self.variant == 'gist':  # the batch is trimmed as if it were one image
            residual, valid = residual.reshape(1, -1), valid.reshape(1, -1)
        residual, valid = residual.flatten(1), valid.flatten(1)
        count = valid.sum(1)
        return self.average(trimmed_sum(residual, valid, count, self.trim), 2 * count)


@MODELS.register_module()
class GradientMatchingLoss(DepthLoss):
    """Ask that the aligned residual R be flat: ``sum over scales of 1/M sum |dx R| + |dy R|``.

    Scale k takes every 2^k-th row and column of R. A difference counts where both its pixels are
    valid; M is the number of valid pixels of that scale (MiDaS, equation 11). MegaDepth's
    (arXiv:1804.00607, section 4) is on log depth: ``alignment='none', space='log'``.

    Args:
        scales: Number of scales, strides 1, 2, 4, ...
        alignment: 'median', 'median_zeros', 'lstsq' or 'none', see ``aligned_residual``.
        space: 'linear': the maps as they are; 'log': their logarithms.
        eps: Smallest value that has a logarithm here, as in ``SiLogLoss``: smaller predictions
            count as it, without a gradient; pixels whose target is not positive as invalid.
        **kwargs: ``reduction``, ``loss_weight`` and ``loss_name`` of ``DepthLoss``.

    Raises:
        ValueError: If an option is unknown, or ``scales`` or ``eps`` is not positive.
    """

    loss_name = 'loss_grad'

    def __init__(
        self,
        scales: int = 4,
        *,
        alignment: str = 'median',
        space: str = 'linear',
        eps: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if scales < 1:
            raise ValueError(f'scales must be at least 1, got {scales}')
        self.scales = scales
        self.alignment = check_choice('alignment', alignment, ALIGNMENTS)
        self.space = check_choice('space', space, ('linear', 'log'))
        self.eps = check_eps(eps)

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compare the gradients of two maps."""
        if self.space == 'log':
            valid = valid & (target > 0)
            pred, target = (map_.clamp_min(self.eps).log() for map_ in (pred, target))
        residual = aligned_residual(pred, target, valid, self.alignment)
        loss = residual.new_zeros(())
        for stride in (2**k for k in range(self.scales)):
            level, mask = residual[:, ::stride, ::stride], valid[:, ::stride, ::stride]
            loss = loss + self.average(total_variation(level, mask), mask.flatten(1).sum(1))
        return loss


def aligned_residual(pred: Tensor, target: Tensor, valid: Tensor, alignment: str) -> Tensor:
    """Difference of prediction and target after alignment, (N, H, W); zero at invalid pixels.

    Alignments: 'median': both maps normalised by median and mean absolute deviation;
    'median_zeros': the same with the gist's median; 'lstsq': the prediction moved to the target by
    least squares; 'none': as they are.
    """
    if alignment == 'lstsq':
        # In units of its own a map has squares, and they gradients, within single precision.
        units = own_unit(pred), own_unit(target)
        pred, target = pred / per_pixel(units[0], pred), target / per_pixel(units[1], target)
        scale, shift = align_lstsq(pred, target, valid)
        pred = per_pixel(scale, pred) * pred + per_pixel(shift, pred)
        return torch.where(valid, per_pixel(units[1], pred) * (pred - target), 0)
    if alignment != 'none':
        # Together: a selection per image keeps one block of a GPU busy, whatever their number.
        both, mask = torch.cat([pred, target]), torch.cat([valid, valid])
        pred, target = align_median(both, mask, alignment == 'median_zeros').chunk(2)
    return torch.where(valid, pred - target, 0)


def trimmed_sum(residual: Tensor, valid: Tensor, count: Tensor, trim: float) -> Tensor:
    """Add up, per row (N, P), the ``floor((1 - trim) * count)`` smallest valid residuals."""
    # In integers, where 0.7 * 10 is 7.
    kept = count * round((1 - trim) * PER_MILLION) // PER_MILLION
    ranked = torch.where(valid, residual, torch.inf).sort(1).values
    rank = torch.arange(ranked.shape[1], device=ranked.device)
    total = torch.where(rank < kept[:, None], ranked, 0).sum(1)
    # A NaN ranks last: it would be dropped unseen.
    return torch.where(ranked[:, -1:].isnan().any(1), torch.nan, total)


def total_variation(values: Tensor, valid: Tensor) -> Tensor:
    """Add up the absolute differences of neighbours that are both valid, (N, H, W) to (N,)."""
    across = torch.where(valid[:, :, 1:] & valid[:, :, :-1], values.diff(dim=2).abs(), 0)
    down = torch.where(valid[:, 1:] & valid[:, :-1], values.diff(dim=1).abs(), 0)
    return across.flatten(1).sum(1) + down.flatten(1).sum(1)
