"""Cross-entropy of upsampled logits without a map of logits at full resolution."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmseg.models.losses import CrossEntropyLoss
from mmseg.models.losses.cross_entropy_loss import cross_entropy
from torch import Tensor

BAND = dict(cpu=5 * 2**18, cuda=2**26)
"""Logits computed at a time: 5 MB of float32, near a core's cache, or 256 MB, few kernels."""


EPSILON = torch.finfo(torch.float32).eps
"""Added to numbers of pixels, as in mmseg: a loss over no pixel is 0."""


def upsampled_cross_entropies(
    criteria: Sequence[CrossEntropyLoss],
    logits: Tensor,
    label: Tensor,
    size: Sequence[int],
    align_corners: bool,
    ignore_index: int,
) -> dict[str, Tensor]:
    """Compute mmseg's losses, by name, and accuracy without logits at full resolution.

    For all ``criteria`` ``is_plain`` is true; losses of one name are added. The other arguments are
    those of ``upsampled_cross_entropy``.
    """
    labelled = label != ignore_index
    losses: dict[str, Tensor] = {}
    for criterion in criteria:
        weight = criterion.class_weight
        if weight is not None:
            weight = class_weights(tuple(weight), logits.device)
        total, correct = upsampled_cross_entropy(
            logits, label, size, align_corners, ignore_index, weight
        )
        if weight is not None:
            count = weight[label.where(labelled, 0)].where(labelled, 0).sum()
        else:
            count = labelled.sum() if criterion.avg_non_ignore else label.numel()
        name = str(criterion.loss_name)
        losses[name] = losses.get(name, 0) + criterion.loss_weight * total / (count + EPSILON)
    right = (correct + EPSILON) / (labelled.sum() + EPSILON)
    losses['acc_seg'] = (100 * right).reshape(1)
    return losses


def is_plain(criterion: nn.Module) -> bool:
    """Tell whether a loss is mmseg's cross-entropy over classes, averaged over pixels."""
    return (
        type(criterion) is CrossEntropyLoss
        and criterion.cls_criterion is cross_entropy
        and criterion.reduction == 'mean'
    )


def learns_one_logit(criterion: nn.Module) -> bool:
    """Tell whether a loss costs least where the sign of one logit is its pixel's class."""
    if is_plain(criterion):
        return False
    with torch.no_grad(), torch.device('cpu'):
        label = torch.tensor([[[0, 1]]])
        right, wrong = (criterion(x * (2.0 * label[None] - 1), label) for x in (9, -9))
    return bool((right < wrong).all())


def upsampled_cross_entropy(
    logits: Tensor,
    label: Tensor,
    size: Sequence[int],
    align_corners: bool,
    ignore_index: int = 255,
    class_weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Sum the cross-entropy of bilinearly upsampled logits over the labelled pixels.

    The numbers are those of ``F.interpolate`` and ``F.cross_entropy`` one after the other, in
    float32. For 150 classes these keep four maps at full resolution until the backward pass; here
    the gradient of the small logits is computed beside the loss, a band of rows at a time.

    Args:
        logits: (N, C, h, w).
        label: Classes, (N, H, W); pixels with ``ignore_index`` count nothing.
        size: (H', W'), the size upsampled to; what lies beyond the label is cut off.
        align_corners: See ``F.interpolate``.
        ignore_index: Label without class.
        class_weight: Factor of each class's loss, (C,).

    Returns:
        The sum, a scalar that has a gradient of first order, and the number of labelled pixels
        whose greatest logit is their class's.
    """
    total, correct = _UpsampledCrossEntropy.apply(
        logits, label, tuple(size), align_corners, ignore_index, class_weight
    )
    return total, correct


class _UpsampledCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        label: Tensor,
        size: tuple[int, int],
        align_corners: bool,
        ignore_index: int,
        class_weight: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        dtype = torch.promote_types(logits.dtype, torch.float32)
        needs_gradient = ctx.needs_input_grad[0]
        gradient = torch.zeros_like(logits, dtype=dtype) if needs_gradient else None
        total = logits.new_zeros((), dtype=dtype)
        correct = label.new_zeros((), dtype=torch.long)
        if class_weight is not None:
            class_weight = class_weight.to(dtype)
        with torch.autocast(logits.device.type, enabled=False):
            for image, rows, source, weights in bands(logits, label, size, align_corners):
                low = logits[image : image + 1, :, source].to(dtype).detach()
                low.requires_grad_(needs_gradient)
                target = label[image, rows].flatten()
                with torch.set_grad_enabled(needs_gradient):
                    scores = upsample_band(low, weights, size[1], label.shape[-1], align_corners)
                    # over fewer than 16 numbers that follow each other torch's softmax is slow
                    few = scores.shape[1] < 16
                    loss = F.cross_entropy(
                        scores.t().contiguous()[None] if few else scores,
                        target[None] if few else target,
                        class_weight,
                        ignore_index=ignore_index,
                        reduction='sum',
                    )
                if gradient is not None:
                    gradient[image, :, source] += torch.autograd.grad(loss, low)[0][0]
                total += loss.detach()
                correct += count_correct(scores.detach(), target, ignore_index)
        ctx.save_for_backward(gradient)
        ctx.dtype = logits.dtype
        ctx.mark_non_differentiable(correct)
        return total, correct

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, of_total: Tensor, of_correct: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (gradient * of_total).to(ctx.dtype), None, None, None, None, None


def count_correct(scores: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """Count the labelled rows of scores (pixels, C) whose greatest is their class's."""
    labelled = target != ignore_index
    of_class = scores.gather(1, target.where(labelled, 0)[:, None])[:, 0]
    return (labelled & (of_class >= scores.amax(dim=1))).sum()  # argmax takes five times as long


def bands(
    logits: Tensor, label: Tensor, size: Sequence[int], align_corners: bool
) -> Iterator[tuple[int, slice, slice, Tensor]]:
    """Give for each band: image, rows of the label, rows of the logits, weights of these in those.

    The weights are (rows of the label, rows of the logits).
    """
    channels, old = logits.shape[1:3]
    height = label.shape[-2]
    dtype = torch.promote_types(logits.dtype, torch.float32)
    first, weights = row_weights(old, size[0], align_corners, logits.device, dtype)
    budget = BAND['cpu' if logits.device.type == 'cpu' else 'cuda']
    step = max(1, budget // (channels * label.shape[-1]))
    for image in range(len(logits)):
        for begin in range(0, height, step):
            end = min(begin + step, height)
            source = slice(first[begin], min(first[end - 1] + 2, old))
            yield image, slice(begin, end), source, weights[begin:end, source]


@lru_cache(maxsize=16)  # the copy to a GPU waits for it
@torch.inference_mode(False)
def class_weights(weight: tuple[float, ...], device: torch.device) -> Tensor:
    """Give the weights of the classes as float32 on a device."""
    return torch.tensor(weight, device=device, dtype=torch.float32)


@lru_cache(maxsize=16)  # on CUDA each costs two copies
@torch.inference_mode(False)  # a training may use them later
def row_weights(
    old: int, new: int, align_corners: bool, device: torch.device, dtype: torch.dtype
) -> tuple[list[int], Tensor]:
    """Give the first of the two rows that each new row is interpolated from, and (new, old)."""
    rows = torch.arange(new, dtype=torch.float32)
    if align_corners:
        position = rows * ((old - 1) / max(new - 1, 1))
    else:
        position = ((rows + 0.5) * (old / new) - 0.5).clamp(min=0)
    first = position.long().clamp(max=old - 1)
    second = (first + 1).clamp(max=old - 1)
    share = position - first
    weights = torch.zeros(new, old)
    weights.scatter_add_(1, first[:, None], 1 - share[:, None])
    weights.scatter_add_(1, second[:, None], share[:, None])
    return first.tolist(), weights.to(device, dtype)


def upsample_band(
    low: Tensor, weights: Tensor, padded_width: int, width: int, align_corners: bool
) -> Tensor:
    """Upsample (1, C, rows, w) to the pixels of a band, (rows of the label * W, C)."""
    size = (low.shape[2], padded_width)
    wide = F.interpolate(low, size=size, mode='bilinear', align_corners=align_corners)
    wide = wide[..., :width].permute(0, 2, 3, 1)
    scores = weights @ wide.reshape(len(wide[0]), -1)
    return scores.view(-1, low.shape[1])
