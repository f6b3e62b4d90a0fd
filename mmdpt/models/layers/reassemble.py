"""Reassemble: from transformer taps to feature maps (DPT, arXiv:2103.13413, section 3.1)."""

from collections.abc import Sequence

import torch.nn as nn
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmdpt.errors import check_choice

Tap = tuple[Tensor, Tensor | None] | Tensor
"""A feature map (N, C, h, w) with its readout token (N, C), or a map alone."""


class FusedTaps(list):
    """Taps with what their fusion gave, for heads that share it."""

    def __init__(self, taps: Sequence[Tap], fused: Tensor, penultimate: Tensor) -> None:
        super().__init__(taps)
        self.fused = fused
        self.penultimate = penultimate


class ReadoutIgnore(nn.Module):
    """Leave the readout token out."""

    def __init__(self, embed_dims: int) -> None:
        super().__init__()

    def forward(self, feature: Tensor, readout: Tensor | None) -> Tensor:
        return feature


class ReadoutAdd(nn.Module):
    """Add the readout token to every patch token."""

    def __init__(self, embed_dims: int) -> None:
        super().__init__()

    def forward(self, feature: Tensor, readout: Tensor) -> Tensor:
        return feature + readout[:, :, None, None]


class ReadoutProject(nn.Module):
    """Concatenate the readout token to every patch token, project back, GELU.

    ``Linear([x, r]) = Wx x + (Wr r + b)``: the readout's share is computed once per image and the
    concatenation never exists, which halves the multiplications.
    """

    approximate = 'none'
    """How GELU is computed, see ``torch.nn.functional.gelu``."""

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * embed_dims, embed_dims)

    def forward(self, feature: Tensor, readout: Tensor) -> Tensor:
        weight_x, weight_r = self.project.weight.chunk(2, dim=1)
        tokens = F.linear(feature.permute(0, 2, 3, 1), weight_x)
        tokens = tokens + F.linear(readout, weight_r, self.project.bias)[:, None, None]
        return F.gelu(tokens, approximate=self.approximate).permute(0, 3, 1, 2)


class ReadoutProjectTanh(ReadoutProject):
    """The same with GELU by a hyperbolic tangent (TIPSv2)."""

    approximate = 'tanh'


READOUTS: dict[str, type[nn.Module]] = {
    'ignore': ReadoutIgnore,
    'add': ReadoutAdd,
    'project': ReadoutProject,
    'project-tanh': ReadoutProjectTanh,
}
"""Operations on maps (N, C, h, w) and the token (N, C), which give (N, C, h, w)."""


class DirectBlock(nn.Module):
    """Convolve a map that already has its scale to the fusion width (DPT-Hybrid's stem)."""

    def __init__(self, embed_dims: int, out_channels: int) -> None:
        super().__init__()
        self.to_fusion = nn.Conv2d(embed_dims, out_channels, kernel_size=3, padding=1, bias=False)

    def forward(self, tap: Tap) -> Tensor:
        return self.to_fusion(tap if isinstance(tap, Tensor) else tap[0])


class ReassembleBlock(nn.Module):
    """Read one tap, project it to its width, resample it, convolve it to the fusion width."""

    def __init__(
        self, embed_dims: int, channels: int, out_channels: int, scale: float, readout_type: str
    ) -> None:
        super().__init__()
        self.readout_type = check_choice('readout_type', readout_type, READOUTS)
        self.read = READOUTS[readout_type](embed_dims)
        self.project = nn.Conv2d(embed_dims, channels, kernel_size=1)
        self.resample = build_resample(channels, scale)
        self.to_fusion = nn.Conv2d(channels, out_channels, kernel_size=3, padding=1, bias=False)

    def forward(self, tap: Tap) -> Tensor:
        feature, readout = (tap, None) if isinstance(tap, Tensor) else tap
        if readout is None and self.readout_type != 'ignore':
            raise ValueError(
                f'readout_type={self.readout_type!r} needs a backbone with a readout token; '
                "this one gives none: use readout_type='ignore'"
            )
        x = self.read(feature, readout)
        x = self.resample(self.project(x))
        return self.to_fusion(x)


class Reassemble(BaseModule):
    """Turn the taps of a backbone into feature maps of one width, fine to coarse.

    Args:
        embed_dims: Channels of the taps, one number or one per tap.
        channels: Channels between projection and fusion, one per tap; the number of taps. None: the
            tap goes to its last convolution as it is, not read, projected or resampled.
        out_channels: Channels of every map that goes to the fusion stage.
        scales: Factors from the tap's grid to the map's, one per tap: s, 1 or 1/s with integer s.
        readout_type: 'ignore', 'add', 'project' or 'project-tanh'.

    Raises:
        ValueError: If the numbers of widths and scales differ, a scale is neither an integer nor
            one over an integer, a tap without channels has a scale, or the readout type is unknown.
    """

    def __init__(
        self,
        embed_dims: int | Sequence[int],
        channels: Sequence[int | None] = (96, 192, 384, 768),
        out_channels: int = 256,
        scales: Sequence[float] = (4, 2, 1, 0.5),
        readout_type: str = 'project',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if isinstance(embed_dims, int):
            embed_dims = (embed_dims,) * len(channels)
        if not len(embed_dims) == len(channels) == len(scales):
            raise ValueError(
                'one width and one scale per tap: got '
                f'{len(embed_dims)} embed_dims, {len(channels)} channels, {len(scales)} scales'
            )
        self.blocks = nn.ModuleList(
            build_block(dims, width, out_channels, scale, readout_type)
            for dims, width, scale in zip(embed_dims, channels, scales, strict=True)
        )

    def forward(self, taps: Sequence[Tap]) -> list[Tensor]:
        """Map each tap (N, C, h, w) to (N, out_channels, h * scale, w * scale), rounded up."""
        if len(taps) != len(self.blocks):
            raise ValueError(f'expected {len(self.blocks)} taps, got {len(taps)}')
        return [block(tap) for block, tap in zip(self.blocks, taps, strict=True)]


def build_block(
    embed_dims: int, channels: int | None, out_channels: int, scale: float, readout_type: str
) -> nn.Module:
    """Build the block of one tap, a direct one for ``channels=None``."""
    if channels is not None:
        return ReassembleBlock(embed_dims, channels, out_channels, scale, readout_type)
    if scale != 1:
        raise ValueError(f'a tap without reassemble channels keeps its scale: 1, got {scale}')
    return DirectBlock(embed_dims, out_channels)


def build_resample(channels: int, scale: float) -> nn.Module:
    """Build the learned resampling by an integer factor, up or down."""
    if scale == 1:
        return nn.Identity()
    if scale > 1 and float(scale).is_integer():
        return nn.ConvTranspose2d(channels, channels, kernel_size=int(scale), stride=int(scale))
    if 0 < scale < 1 and (1 / scale).is_integer():
        return nn.Conv2d(channels, channels, kernel_size=3, stride=int(1 / scale), padding=1)
    raise ValueError(f'a reassemble scale must be s, 1 or 1/s with an integer s, got {scale}')
