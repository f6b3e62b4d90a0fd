"""Fusion: RefineNet-style, coarse to fine (DPT, arXiv:2103.13413, section 3.1 and appendix)."""

from collections.abc import Sequence

import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor

from mmdpt.errors import check_choice

from . import recomputation


class ResidualConvUnit(nn.Module):
    """Pre-activation residual unit of two 3x3 convolutions, with or without normalisation."""

    def __init__(self, channels: int, norm_cfg: dict | None, conv_bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=conv_bias)
        self.norm1 = build_norm(norm_cfg, channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=conv_bias)
        self.norm2 = build_norm(norm_cfg, channels)

    def forward(self, x: Tensor) -> Tensor:
        # Not in place: the shortcut is x, not relu(x) (isl-org/DPT@cd3fe90 blocks.py).
        out = self.norm1(self.conv1(F.relu(x)))
        out = self.norm2(self.conv2(F.relu(out)))
        return out + x


class FeatureFusionBlock(nn.Module):
    """Add a skip map, refine and project; the coarsest block has no skip."""

    def __init__(
        self, channels: int, norm_cfg: dict | None, conv_bias: bool, with_skip: bool = True
    ) -> None:
        super().__init__()
        if with_skip:
            self.residual_unit1 = ResidualConvUnit(channels, norm_cfg, conv_bias)
        self.residual_unit2 = ResidualConvUnit(channels, norm_cfg, conv_bias)
        self.project = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """Give the map before its upsampling, by which the 1x1 convolution costs a quarter.

        Upsampling and 1x1 convolution commute; the paper upsamples first.
        """
        if skip is not None:
            x = x + self.residual_unit1(skip)
        return self.project(self.residual_unit2(x))


class Fusion(BaseModule):
    """Fuse feature maps from coarse to fine, doubling the resolution at every step.

    The paper's factor of two fits where every map is twice the next. Where a side of the grid is
    odd, code bases differ in what they resize, ``resized``:

    - 'path': each step upsamples to the size of the next finer map, the skip (isl-org/MiDaS
      @4545977, Depth Anything).
    - 'skip': each step doubles, and resizes the skip to that (mmseg and transformers' DPT, DINOv2
      @b8931f7, TIPSv2). The fused map is then larger than the finest one.

    Args:
        channels: Channels of every map.
        num_maps: Number of maps.
        norm_cfg: Normalisation in the residual units, None for none.
        conv_bias: Bias in the residual units' convolutions. None: where there is no normalisation.
        resized: What is resized where sizes differ, 'path' or 'skip'.

    Raises:
        ValueError: If ``resized`` is neither.
    """

    def __init__(
        self,
        channels: int = 256,
        num_maps: int = 4,
        norm_cfg: dict | None = None,
        conv_bias: bool | None = None,
        resized: str = 'path',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.resized = check_choice('resized', resized, ('path', 'skip'))
        if conv_bias is None:
            conv_bias = norm_cfg is None
        self.blocks = nn.ModuleList(
            FeatureFusionBlock(channels, norm_cfg, conv_bias, with_skip=step > 0)
            for step in range(num_maps)
        )

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Fuse maps (N, C, H_i, W_i), fine to coarse.

        Gives the fused map (N, C, 2 H_0, 2 W_0) and the penultimate one (N, C, H_0, W_0).
        """
        fused, penultimate = self.fuse_to_finest(maps)
        return upsample(fused, double_size(fused)), penultimate

    def fuse_to_finest(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Fuse without the last upsampling: both maps are of the second size above."""
        coarsest, *skips = reversed(maps)
        path = self.blocks[0](coarsest)
        for block, skip in zip(self.blocks[1:], skips, strict=True):
            if self.resized == 'path':
                penultimate = upsample(path, skip.shape[-2:])
            else:
                penultimate = upsample(path, double_size(path))
                skip = F.interpolate(skip, size=penultimate.shape[-2:], mode='bilinear')
            path = block(penultimate, skip)
        return path, penultimate


def upsample(x: Tensor, size: Sequence[int]) -> Tensor:
    """Upsample maps (N, C, h, w) to ``size``."""
    return F.interpolate(x, size=size, mode='bilinear', align_corners=True)


def convolve_upsampled(conv: nn.Module, x: Tensor, size: Sequence[int]) -> Tensor:
    """Upsample maps (N, C, h, w) to ``size`` and convolve them.

    The convolution needs the upsampled map, the largest of the decoder, in the backward pass, too:
    it can be interpolated once more instead of kept, on a CPU for a hundredth of the step's time.
    """
    return recomputation.call(lambda maps: conv(upsample(maps, size)), x)


def double_size(x: Tensor) -> tuple[int, int]:
    """Give twice the height and width of maps (N, C, H, W)."""
    height, width = x.shape[-2:]
    return 2 * height, 2 * width


def build_norm(norm_cfg: dict | None, channels: int) -> nn.Module:
    """Build the normalisation layer, an identity for None."""
    return nn.Identity() if norm_cfg is None else build_norm_layer(norm_cfg, channels)[1]
