"""Padding whose amounts are arithmetic on the size alone, so that a graph keeps any size."""

import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class PadToMultiple(nn.Module):
    """Pad images (N, C, H, W) with zeros at the bottom and right to multiples of a number.

    What mmcv's ``AdaptivePadding`` does, but that pads only where it must: tracing and export then
    fix whether an image is padded. Padded sizes are written as multiples, by which torch.export
    can tell that they divide by strides, and not by ``-size %``, which inductor 2.14 refuses.
    """

    def __init__(self, multiple: int) -> None:
        super().__init__()
        self.multiple = multiple

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        padded_height, padded_width = (
            (size + self.multiple - 1) // self.multiple * self.multiple for size in (height, width)
        )
        return F.pad(x, (0, padded_width - width, 0, padded_height - height))


def pad_same(x: Tensor, kernel_size: int, stride: int, value: float = 0.0) -> Tensor:
    """Pad maps (N, C, H, W) as TensorFlow's SAME: ceil(H / stride) windows fit.

    Where the number of pixels to pad is odd, the extra one goes to the bottom or the right.
    """
    if kernel_size == 1:
        return x  # the last window begins inside
    pads: list[int] = []
    for size in (x.shape[-1], x.shape[-2]):
        padded = (size + stride - 1) // stride * stride
        total = padded - size + kernel_size - stride
        if kernel_size < stride:
            total = max(total, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)
