"""Align one depth or disparity map to another, over the valid pixels of each image.

Everything here takes maps (N, H, W) or (N, P) with a bool mask of the same shape, and gives what an
image without a single valid pixel needs to stay finite: zeros.
"""

import math

import torch
from torch import Tensor

from .depth_losses import masked_mean, per_pixel

SMALLEST_DEVIATION = 1e-6
"""A map whose mean absolute deviation is smaller counts as constant; as in the authors' gist."""


def masked_median(values: Tensor, valid: Tensor) -> Tensor:
    """Median over the valid pixels of each image, (N,); zero where there is none.

    Of an even number of pixels it is the lower of the middle two, as in ``torch.median``.
    """
    values, valid = values.flatten(1), valid.flatten(1)
    count = valid.sum(1)
    if torch.are_deterministic_algorithms_enabled():  # CUDA's nanmedian would raise
        middle = (count - 1).clamp_min(0) // 2
        ranked = torch.where(valid, values, torch.inf).sort(1).values
        median = ranked.gather(1, middle[:, None]).squeeze(1)
    else:  # a selection, several times faster than the sort
        median = torch.where(valid, values, torch.nan).nanmedian(1).values
    return torch.where(count > 0, median, 0)


def align_median(values: Tensor, valid: Tensor, with_zeros: bool = False) -> Tensor:
    """Bring each map to zero median and unit mean absolute deviation (MiDaS, section 5).

    ``t(d) = median(d)``, ``s(d) = mean |d - t(d)|``, ``(d - t) / s`` (arXiv:1907.01341) of
    disparities (N, H, W) that are valid. A map that is constant to within rounding is only shifted.
    Invalid pixels get meaningless numbers. ``with_zeros`` takes the median of ``valid * values``,
    the zeros of the invalid pixels included, as the authors' public gist does.
    """
    if with_zeros:
        shift = masked_median(torch.where(valid, values, 0), torch.ones_like(valid))
    else:
        shift = masked_median(values, valid)
    scale = masked_mean((values - per_pixel(shift, values)).abs(), valid)
    rounding = 10 * torch.finfo(values.dtype).eps * shift.detach().abs()
    # Asked this way round, here and below, a NaN in the prediction shows in the loss.
    scale = torch.where(scale <= rounding.clamp_min(SMALLEST_DEVIATION), 1, scale)
    return (values - per_pixel(shift, values)) / per_pixel(scale, values)


def align_lstsq(pred: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Align prediction to target by least squares (MiDaS, arXiv:1907.01341, section 5).

    The normal equations in centred form, which single precision solves where the determinant of the
    plain form has cancelled. Disparities and mask are (N, H, W). Gives scale and shift, each (N,),
    for ``scale * pred + shift``; zeros where the system is singular: fewer than two valid pixels,
    or a prediction constant to within rounding.
    """
    pred_mean, target_mean = masked_mean(pred, valid), masked_mean(target, valid)
    centred = pred - per_pixel(pred_mean, pred)
    variance = masked_mean(centred.square(), valid)
    covariance = masked_mean(centred * (target - per_pixel(target_mean, target)), valid)
    rounding = (10 * torch.finfo(pred.dtype).eps * pred_mean.detach()).square()
    singular = variance <= rounding.clamp_min(torch.finfo(pred.dtype).tiny)
    scale = torch.where(singular, 0, covariance / torch.where(singular, 1, variance))
    shift = torch.where(singular, 0, target_mean - scale * pred_mean)
    return scale, shift


def own_unit(values: Tensor) -> Tensor:
    """Power of two next above the absolute values of each image, (N,): exact to divide by.

    1 for a map whose squares are zero, which counts as constant. Gradients do not pass.
    """
    _, exponent = values.detach().flatten(1).abs().amax(1).frexp()
    least = math.log2(torch.finfo(values.dtype).tiny) / 2
    return torch.ldexp(values.new_ones(len(values)), torch.where(exponent < least, 0, exponent))
