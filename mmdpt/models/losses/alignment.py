"""Masked statistics and the alignment of one depth or disparity map to another.

Everything here takes maps (N, H, W) or (N, P) with a bool mask of the same shape, and gives what an
image without a single valid pixel needs to stay finite: zeros.
"""

import math

import torch
from torch import Tensor

ALIGNMENTS = ('median', 'median_zeros', 'lstsq', 'none')
REDUCTIONS = ('image', 'batch')
# A map whose mean absolute deviation is smaller counts as constant; as in the authors' gist.
SMALLEST_DEVIATION = 1e-6


def check_option(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return the value, or raise ValueError if it is not an allowed one."""
    if value not in allowed:
        raise ValueError(f'{name} must be one of {list(allowed)}, got {value!r}')
    return value


def mask_invalid(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Set both maps to zero where the target is not finite, so that no NaN reaches a gradient.

    Args:
        pred: (N, 1, H, W).
        target: (N, 1, H, W), NaN or infinite where it is invalid.

    Returns:
        Prediction, target and bool mask, each (N, H, W); the maps in float32, or in float64 where
        the prediction is.

    Raises:
        ValueError: If the shapes differ or are not (N, 1, H, W).
    """
    if pred.shape != target.shape or pred.dim() != 4 or pred.shape[1] != 1:
        raise ValueError(
            'pred and target must both be (N, 1, H, W), got '
            f'{tuple(pred.shape)} and {tuple(target.shape)}'
        )
    dtype = torch.promote_types(pred.dtype, torch.float32)
    valid = target.isfinite()
    pred, target = (torch.where(valid, map_, 0).to(dtype).squeeze(1) for map_ in (pred, target))
    return pred, target, valid.squeeze(1)


def average(sums: Tensor, counts: Tensor, reduction: str) -> Tensor:
    """Average sums (N,) over their pixel counts (N,): a scalar.

    Args:
        sums: One sum per image.
        counts: Number of pixels in each sum.
        reduction: 'image': mean over all images of sum / count, an image without a pixel giving
            zero; 'batch': sum of sums / sum of counts.
    """
    if reduction == 'batch':
        return sums.sum() / counts.sum().clamp_min(1)
    return (sums / counts.clamp_min(1)).sum() / max(len(sums), 1)


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean over the valid pixels of each image, (N,); zero where there is none."""
    total = torch.where(valid, values, 0).flatten(1).sum(1)
    return total / valid.flatten(1).sum(1).clamp_min(1)


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


def mean_absolute_deviation(values: Tensor, valid: Tensor, centre: Tensor) -> Tensor:
    """Mean of ``|values - centre|`` over the valid pixels of each image, (N,)."""
    return masked_mean((values - per_pixel(centre, values)).abs(), valid)


def align_median(values: Tensor, valid: Tensor, with_zeros: bool = False) -> Tensor:
    """Bring each map to zero median and unit mean absolute deviation (MiDaS, section 5).

    ``t(d) = median(d)``, ``s(d) = mean |d - t(d)|``, ``(d - t) / s`` (arXiv:1907.01341). A map that
    is constant to within rounding is only shifted.

    Args:
        values: Disparity, (N, H, W), arbitrary scale and shift.
        valid: Bool mask, (N, H, W).
        with_zeros: Take the median of ``valid * values``, the zeros of the invalid pixels
            included, as the authors' public gist does.

    Returns:
        The normalised map, (N, H, W); meaningless at invalid pixels.
    """
    if with_zeros:
        shift = masked_median(torch.where(valid, values, 0), torch.ones_like(valid))
    else:
        shift = masked_median(values, valid)
    scale = mean_absolute_deviation(values, valid, shift)
    rounding = 10 * torch.finfo(values.dtype).eps * shift.detach().abs()
    # Asked this way round, here and below, a NaN in the prediction shows in the loss.
    scale = torch.where(scale <= rounding.clamp_min(SMALLEST_DEVIATION), 1, scale)
    return (values - per_pixel(shift, values)) / per_pixel(scale, values)


def align_lstsq(pred: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Align prediction to target by least squares (MiDaS, arXiv:1907.01341, section 5).

    The normal equations in centred form, which single precision solves where the determinant of
    the plain form has cancelled.

    Args:
        pred: Disparity, (N, H, W), arbitrary scale and shift.
        target: Disparity, (N, H, W), the unit of the result.
        valid: Bool mask, (N, H, W).

    Returns:
        Scale and shift, each (N,), for ``scale * pred + shift``; zeros where the system is
        singular: fewer than two valid pixels, or a prediction constant to within rounding.
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


def aligned_residual(pred: Tensor, target: Tensor, valid: Tensor, alignment: str) -> Tensor:
    """Difference of prediction and target after alignment, (N, H, W); zero at invalid pixels.

    Args:
        pred: (N, H, W).
        target: (N, H, W).
        valid: Bool mask, (N, H, W).
        alignment: 'median': both maps normalised by median and mean absolute deviation;
            'median_zeros': the same with the gist's median; 'lstsq': the prediction moved to the
            target by least squares; 'none': as they are.
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


def own_unit(values: Tensor) -> Tensor:
    """Power of two next above the absolute values of each image, (N,): exact to divide by.

    1 for a map whose squares are zero, which counts as constant. Gradients do not pass.
    """
    _, exponent = values.detach().flatten(1).abs().amax(1).frexp()
    least = math.log2(torch.finfo(values.dtype).tiny) / 2
    return torch.ldexp(values.new_ones(len(values)), torch.where(exponent < least, 0, exponent))


def per_pixel(numbers: Tensor, map_: Tensor) -> Tensor:
    """View one number per image, (N,), so that it broadcasts over the pixels of a map."""
    return numbers.reshape(-1, *[1] * (map_.dim() - 1))
