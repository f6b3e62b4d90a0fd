"""From the fused map to the last convolution's output, and the sky (figure 1, appendix)."""

from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmdpt.models.layers.fusion import convolve_upsampled, double_size, upsample

from .dpt_head import in_float32

LEAST_SKY, FEW_PIXELS = 0.3, 10
"""Depth Anything 3's threshold of sky, and number of pixels below which it lets the sky be."""


class DepthOutput(nn.Module):
    """Predict ``out_channels`` from the fused map, upsampled before each 3x3 convolution but one.

    Args:
        channels: Channels of the fused map.
        out_channels: Output channels.
        hidden_channels: Channels before the last convolution. None: nothing but that convolution.
        project: Whether a 3x3 convolution and a ReLU come first (DINOv2, TIPSv2).
        sky: Whether a second branch, which does not train, says how likely a pixel is sky.
        subpixels: 1: upsample before the second convolution, as the paper. s: predict s x s pixels
            from each place of the map before that (arXiv:1609.05158).
    """

    def __init__(
        self,
        channels: int,
        out_channels: int = 1,
        hidden_channels: int | None = 32,
        project: bool = False,
        sky: bool = False,
        subpixels: int = 1,
    ) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, channels, 3, padding=1) if project else None
        self.conv1: nn.Conv2d | None = None
        if hidden_channels is not None:
            self.conv1 = nn.Conv2d(channels, channels // 2, kernel_size=3, padding=1)
            self.conv2 = nn.Conv2d(channels // 2, hidden_channels, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(hidden_channels or channels, out_channels * subpixels**2, 1)
        self.subpixels = subpixels
        for parameter in self.conv3.parameters() if subpixels > 1 else ():
            first = parameter.data[:: subpixels**2]  # the pixels of a place begin alike
            parameter.data.copy_(first.repeat_interleave(subpixels**2, dim=0))
        self.sky: nn.Sequential | None = None
        if sky:
            self.sky = nn.Sequential(
                nn.Conv2d(channels // 2, 32, kernel_size=3, padding=1),
                nn.ReLU(),
                nn.Conv2d(32, 1, 1),
            )
            self.sky.requires_grad_(False)

    def forward(self, fused: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """Predict (N, out_channels, H, W) from the last fusion map before its upsampling.

        With a sky branch, a further channel is its output, except in training.

        Args:
            fused: (N, C, h, w).
            size: H and W, by default 4 h and 4 w; without hidden channels always 2 h and 2 w.
        """
        x, doubled = fused, double_size(fused)
        if self.project is not None:
            x = F.relu(convolve_upsampled(self.project, x, doubled))
        if self.conv1 is not None:
            x = convolve_upsampled(self.conv1, x, doubled) if x is fused else self.conv1(x)
            if self.subpixels > 1:
                x = F.relu(self.conv2(x))
                return F.pixel_shuffle(
                    convolve_in_float32(self.conv3, in_float32(x)), self.subpixels
                )
            size = size or double_size(x)
            if self.sky is not None and not self.training:
                x = upsample(x, size)
                out = convolve_in_float32(self.conv3, in_float32(F.relu(self.conv2(x))))
                return torch.cat((out, in_float32(self.sky(x))), dim=1)
            x = convolve_upsampled(self.conv2, x, size)
        return convolve_in_float32(self.conv3, in_float32(F.relu(x)))


def convolve_in_float32(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Convolve float32 maps in float32, under autocast and with weights stored in half precision.

    Of 140,000 depths, an output in bfloat16 leaves a few thousand: layers in a point cloud. At one
    output channel the convolution takes no longer in float32.
    """
    if conv.weight.dtype == x.dtype and not torch.is_autocast_enabled(x.device.type):
        return conv(x)
    with torch.autocast(x.device.type, enabled=False):
        weight, bias = (parameter.to(x.dtype) for parameter in conv.parameters())
        return F.conv2d(x, weight, bias)


def fill_sky(depth: Tensor, sky: Tensor) -> Tensor:
    """Put the sky at the 0.99 quantile of the other pixels' depth, as Depth Anything 3.

    Up to 10 pixels of sky or of anything else change nothing. Where there are more than 100,000
    pixels, the source (ByteDance-Seed/Depth-Anything-3@2c21ea8, model/da3.py) takes the quantile of
    a random sample; here it is that of all.

    Args:
        depth: (N, 1, H, W).
        sky: Output of the sky branch, of this shape: sky from 0.3 on.
    """
    is_sky = sky >= LEAST_SKY
    others = (~is_sky).flatten(1).sum(dim=1, keepdim=True)
    place = 0.99 * (others - 1).clamp(min=0).to(depth.dtype)
    ordered = depth.masked_fill(is_sky, torch.inf).flatten(1).sort(dim=1).values
    near, far = (ordered.gather(1, index.long()) for index in (place.floor(), place.ceil()))
    farthest = torch.lerp(near, far, place - place.floor())
    number = is_sky[0].numel()
    both = (others > FEW_PIXELS) & (number - others > FEW_PIXELS)
    return torch.where(is_sky & both[:, :, None, None], farthest[:, :, None, None], depth)
