"""The base of all depth losses, and the losses on metric depth: SiLog, log L1 and AbsRel."""

from typing import Any

import torch
import torch.nn as nn
from mmengine.logging import MessageHub
from torch import Tensor

from mmdpt.errors import check_choice
from mmdpt.registry import MODELS

REDUCTIONS = ('image', 'batch')
WARMUP_OFFSET = 0.1
"""Added to both depths [m] during SiLog's warm-up, as the toolbox named there does."""


class DepthLoss(nn.Module):
    """Check and mask two maps, and compare them at least in float32; leaves say how.

    Args:
        reduction: 'image': mean over the images; 'batch': over all pixels of the batch at once.
        loss_weight: Factor of the result.
        loss_name: Name among the losses, starting with ``loss_``; None: the class's own.

    Raises:
        ValueError: If the reduction is unknown.
    """

    loss_name = 'loss_depth'

    def __init__(
        self, reduction: str = 'image', loss_weight: float = 1.0, loss_name: str | None = None
    ) -> None:
        super().__init__()
        self.reduction = check_choice('reduction', reduction, REDUCTIONS)
        self.loss_weight = loss_weight
        self.loss_name = loss_name or self.loss_name

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Compare two maps of depth [m] or disparity, (N, 1, H, W); invalid targets are not finite.

        ``weight``, (N,), multiplies each image's loss in their mean, as in mmseg. Gives a scalar,
        in float32, or in float64 where the prediction is.

        Raises:
            ValueError: If the shapes differ or are not (N, 1, H, W), or images have weights and
                the reduction is over the batch.
        """
        if pred.shape != target.shape or pred.dim() != 4 or pred.shape[1] != 1:
            raise ValueError(
                'pred and target must both be (N, 1, H, W), got '
                f'{tuple(pred.shape)} and {tuple(target.shape)}'
            )
        if weight is not None:
            if self.reduction != 'image' or weight.shape != pred.shape[:1]:
                raise ValueError(
                    "weight must be (N,), with reduction 'image'; got "
                    f'{tuple(weight.shape)} and {self.reduction!r}'
                )
            images = zip(pred.split(1), target.split(1), weight, strict=True)
            return torch.stack([self(*image) * factor for *image, factor in images]).mean()
        dtype = torch.promote_types(pred.dtype, torch.float32)
        valid = target.isfinite()
        # zero where the target is invalid, so that no NaN reaches a gradient
        pred, target = (torch.where(valid, x, 0).to(dtype).squeeze(1) for x in (pred, target))
        with torch.autocast(pred.device.type, enabled=False):
            return self.loss_weight * self.compare(pred, target, valid.squeeze(1))

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Give the loss of maps (N, H, W) and their bool mask before its weight, a scalar."""
        raise NotImplementedError

    def average(self, sums: Tensor, counts: Tensor) -> Tensor:
        """Average sums (N,) over their pixel counts (N,): a scalar.

        'image' is the mean over all images of sum / count, an image without a pixel giving zero;
        'batch' is the sum of sums / sum of counts.
        """
        if self.reduction == 'batch':
            return sums.sum() / counts.sum().clamp_min(1)
        return (sums / counts.clamp_min(1)).sum() / max(len(sums), 1)


@MODELS.register_module()
class SiLogLoss(DepthLoss):
    """``sqrt(E[d^2] - variance_weight E[d]^2)`` with ``d = log pred - log target``.

    The scale-invariant logarithmic loss of Eigen et al. (arXiv:1406.2283, section 3.2), on depth
    [m]. With ``reduction='batch'`` the expectation is over all pixels: with ``variance_weight``
    0.85 and ``warmup`` 100 this is the Monocular Depth Estimation Toolbox's SigLoss
    (depth/models/losses/sigloss.py, whose variance divides by one pixel less), with 0.5 the loss of
    Depth-Anything-V2's metric training (metric_depth/util/loss.py).

    Args:
        variance_weight: In [0, 1]. 0: plain error in the logarithm; 1: blind to a global factor.
        warmup: Iterations of the training, from its first, in which the mean alone counts:
            ``sqrt((1 - variance_weight) E[d]^2)``, with 0.1 m added to both depths.
        eps: Smallest depth [m] that has a logarithm here: smaller predictions count as it, without
            a gradient; pixels whose target is not positive count as invalid.
        **kwargs: ``reduction``, ``loss_weight`` and ``loss_name`` of ``DepthLoss``.

    Raises:
        ValueError: If the reduction is unknown or a number out of range.
    """

    loss_name = 'loss_silog'

    def __init__(
        self, variance_weight: float = 0.5, *, warmup: int = 0, eps: float = 1e-3, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= variance_weight <= 1:
            raise ValueError(f'variance_weight must be in [0, 1], got {variance_weight}')
        self.variance_weight = variance_weight
        self.warmup = warmup
        self.eps = check_eps(eps)

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compare depths [m]."""
        valid = valid & (target > 0)
        # the runner's count, which a resumed run continues; without a runner there is no warm-up
        iteration = MessageHub.get_current_instance().get_info('iter', self.warmup)
        warm = iteration >= self.warmup
        pred, target = (depth.clamp_min(self.eps) for depth in (pred, target))
        if not warm:
            pred, target = pred + WARMUP_OFFSET, target + WARMUP_OFFSET
        log_ratio = pred.log() - target.log()
        if self.reduction == 'batch':
            log_ratio, valid = log_ratio.reshape(1, -1), valid.reshape(1, -1)
        mean = masked_mean(log_ratio, valid)
        # E[d^2] - w E[d]^2, in the form that cannot become negative by rounding.
        square = (1 - self.variance_weight) * mean.square()
        if warm:
            square = square + masked_mean((log_ratio - per_pixel(mean, log_ratio)).square(), valid)
        return safe_sqrt(square).sum() / max(len(square), 1)


@MODELS.register_module()
class LogL1Loss(DepthLoss):
    """``mean |log pred - log target|`` on metric depth [m].

    Beside the root of the mean square, which ``SiLogLoss`` takes, small errors count more.

    Args:
        eps: Smallest depth [m] that has a logarithm here, as in ``SiLogLoss``.
        **kwargs: ``reduction``, ``loss_weight`` and ``loss_name`` of ``DepthLoss``.

    Raises:
        ValueError: If ``eps`` is not positive.
    """

    loss_name = 'loss_log_l1'

    def __init__(self, *, eps: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.eps = check_eps(eps)

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compare depths [m]."""
        valid = valid & (target > 0)
        log_ratio = pred.clamp_min(self.eps).log() - target.clamp_min(self.eps).log()
        error = torch.where(valid, log_ratio.abs(), 0)
        return self.average(error.flatten(1).sum(1), valid.flatten(1).sum(1))


@MODELS.register_module()
class AbsRelLoss(DepthLoss):
    """``mean(|pred - target| / target)`` on metric depth, what the metric of that name measures.

    Losses on the logarithm weigh twice and half the depth alike; here, as in AbsRel, too far costs
    more than too near, so that an uncertain depth is predicted somewhat nearer. Pixels whose target
    is not positive count as invalid. The arguments are those of ``DepthLoss``.
    """

    loss_name = 'loss_abs_rel'

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compare depths [m]."""
        valid = valid & (target > 0)
        error = torch.where(valid, (pred - target).abs() / torch.where(valid, target, 1), 0)
        return self.average(error.flatten(1).sum(1), valid.flatten(1).sum(1))


def check_eps(eps: float) -> float:
    """Return the smallest value that has a logarithm, or raise ValueError if it has none itself."""
    if not eps > 0:
        raise ValueError(f'eps must be positive, got {eps}')
    return eps


def safe_sqrt(square: Tensor) -> Tensor:
    """Take the root, with gradient 0 instead of infinity at 0."""
    zero = square == 0
    return torch.where(zero, 0, torch.where(zero, 1, square).sqrt())


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean over the valid pixels of each image, (N,); zero where there is none."""
    total = torch.where(valid, values, 0).flatten(1).sum(1)
    return total / valid.flatten(1).sum(1).clamp_min(1)


def per_pixel(numbers: Tensor, map_: Tensor) -> Tensor:
    """View one number per image, (N,), so that it broadcasts over the pixels of a map."""
    return numbers.reshape(-1, *[1] * (map_.dim() - 1))
