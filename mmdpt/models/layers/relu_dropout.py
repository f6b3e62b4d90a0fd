"""ReLU and element-wise dropout in one step, whose output alone gives the gradient."""

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

NUM_LEVELS = 2**16
"""Steps of the share that is dropped."""


class ReLUDropout(nn.Module):
    """Drop elements of relu(x) in training; element-wise, as the reference does.

    Where the output is positive the element was neither negative nor dropped: the output alone,
    which the convolution after it keeps anyway, gives the gradient.

    Args:
        p: Share of elements to drop, 0 to 1.

    Raises:
        ValueError: If the share is not in that range.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f'a dropout ratio must lie in 0..1, got {p}')
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return _ReLUDropout.apply(x, self.p) if self.training and self.p > 0 else F.relu(x)


class _ReLUDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        num_dropped = round(p * NUM_LEVELS)
        ctx.scale = NUM_LEVELS / (NUM_LEVELS - num_dropped) if num_dropped < NUM_LEVELS else 0.0
        out = x.relu()
        out.mul_(random_levels(out) >= num_dropped - NUM_LEVELS // 2).mul_(ctx.scale)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (out,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient * ctx.scale, out, 0), None


def random_levels(x: Tensor) -> Tensor:
    """Draw for each element of x, whose memory has no gaps, one of the levels of an int16.

    A CPU draws 64 bits in the time of a ``bernoulli_``: here they serve four elements.
    """
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
    words.random_(-(2**63), None)
    return words.view(torch.int16)[: x.numel()].as_strided(x.shape, x.stride())
