"""ReLU and dropout in one, which keeps one map for the backward pass in place of three."""

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


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
        ctx.scale = 1 / (1 - p) if p < 1 else 0.0
        kept = torch.empty_like(x, dtype=torch.bool).bernoulli_(1 - p)
        out = x.relu().mul_(kept).mul_(ctx.scale)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (out,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient * ctx.scale, out, 0), None
