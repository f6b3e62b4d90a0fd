"""DPT's bilinear upsampling, with its corners aligned."""

from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def upsample(x: Tensor, size: Sequence[int]) -> Tensor:
    """Upsample maps (N, C, h, w) to ``size``."""
    return F.interpolate(x, size=size, mode='bilinear', align_corners=True)


def convolve_upsampled(conv: nn.Module, x: Tensor, size: Sequence[int]) -> Tensor:
    """Upsample maps (N, C, h, w) to ``size`` and convolve them.

    The convolution needs the upsampled map, the largest of the decoder, in the backward pass, too:
    in training it is interpolated once more instead of kept, for a hundredth of the step's time.
    """

    def upsample_and_convolve(x: Tensor) -> Tensor:
        return conv(upsample(x, size))

    if not torch.is_grad_enabled():
        return upsample_and_convolve(x)
    return checkpoint(
        upsample_and_convolve,
        x,
        use_reentrant=False,
        preserve_rng_state=False,
        determinism_check='none',
    )
