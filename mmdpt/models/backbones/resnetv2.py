"""The ResNet stem of the hybrid ViT (arXiv:2010.11929, section 3.1), post-activation."""

from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmdpt.errors import check_choice
from mmdpt.registry import MODELS

STANDARDIZATIONS = ('std', 'var')
GROUPS = 32
NORM = dict(type='GN', num_groups=GROUPS, eps=1e-5)


class StdConv2d(nn.Conv2d):
    """Convolution without bias, its weights standardised, its input padded as TensorFlow's SAME.

    mmcv's ``ConvWS`` divides by the unbiased deviation and pads symmetrically: other numbers.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        standardization: str = 'std',
    ) -> None:
        padding = kernel_size // 2 if stride == 1 else 0  # SAME is symmetric without a stride
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.standardization = standardization

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            x = pad_same(x, self.kernel_size[0], self.stride[0])
        weight = standardize(self.weight, self.standardization)
        return F.conv2d(x, weight, None, self.stride, self.padding)


class MaxPoolSame(nn.Module):
    """3x3 maximum with stride 2; what is padded never wins."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(pad_same(x, 3, 2, value=-torch.inf), kernel_size=3, stride=2)


class Shortcut(nn.Module):
    """Project the shortcut to the width and stride of its block."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, standardization: str
    ) -> None:
        super().__init__()
        self.conv = StdConv2d(in_channels, out_channels, 1, stride, standardization)
        self.norm = build_norm_layer(NORM, out_channels)[1]

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1; normalised after each, ReLU after the sum."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, standardization: str, first: bool
    ) -> None:
        super().__init__()
        width = out_channels // 4
        self.downsample = (
            Shortcut(in_channels, out_channels, stride, standardization) if first else nn.Identity()
        )
        self.conv1 = StdConv2d(in_channels, width, 1, 1, standardization)
        self.norm1 = build_norm_layer(NORM, width)[1]
        self.conv2 = StdConv2d(width, width, 3, stride, standardization)
        self.norm2 = build_norm_layer(NORM, width)[1]
        self.conv3 = StdConv2d(width, out_channels, 1, 1, standardization)
        self.norm3 = build_norm_layer(NORM, out_channels)[1]

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)
        out = F.relu(self.norm2(self.conv2(out)), inplace=True)
        return F.relu(self.norm3(self.conv3(out)) + self.downsample(x), inplace=True)


class Stage(nn.Sequential):
    """Bottlenecks in a row; the first has the stride and widens."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        depth: int,
        stride: int,
        standardization: str,
        with_cp: bool,
    ) -> None:
        super().__init__(
            Bottleneck(in_channels, out_channels, stride, standardization, first=True),
            *(
                Bottleneck(out_channels, out_channels, 1, standardization, first=False)
                for _ in range(depth - 1)
            ),
        )
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        for block in self:
            if self.with_cp and torch.is_grad_enabled():
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return x


@MODELS.register_module()
class ResNetV2(BaseModule):
    """Stages of a ResNet with weight standardisation and GroupNorm, as timm's ViT hybrids have it.

    What ``vit_base_r50_s16_384`` of timm and ``vit_base_resnet50_384`` of isl-org/DPT have before
    their patch projection: ``resnetv2`` with ``preact=False``, stem type 'same'.

    Args:
        depths: Blocks in each stage; the stages have strides 4, 8, 16, ...
        base_channels: Channels of the first convolution, a multiple of 32; stage s has
            ``4 * base_channels * 2**s``.
        standardization: How each filter w is standardised. 'std': ``(w - mean) / (std + 1e-5)``, as
            in timm 0.4.5, with which the released weights were trained. 'var':
            ``(w - mean) / sqrt(var + 1e-8)``, as in timm 1.x and transformers. Both are biased.
        with_cp: Recompute each block in the backward pass to save its activations.

    Raises:
        ValueError: If the standardisation is unknown or ``base_channels`` is no multiple of 32.
    """

    def __init__(
        self,
        depths: Sequence[int] = (3, 4, 9),
        base_channels: int = 64,
        standardization: str = 'std',
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Kaiming', layer='Conv2d'))
        check_choice('standardization', standardization, STANDARDIZATIONS)
        if base_channels % GROUPS != 0:
            raise ValueError(f'base_channels must be a multiple of {GROUPS}, got {base_channels}')
        self.channels = [4 * base_channels * 2**stage for stage in range(len(depths))]
        self.conv = StdConv2d(3, base_channels, 7, 2, standardization)
        self.norm = build_norm_layer(NORM, base_channels)[1]
        self.pool = MaxPoolSame()
        widths = [base_channels, *self.channels]
        self.stages = nn.ModuleList(
            Stage(
                widths[stage],
                widths[stage + 1],
                depth,
                stride=1 if stage == 0 else 2,
                standardization=standardization,
                with_cp=with_cp,
            )
            for stage, depth in enumerate(depths)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Encode images (N, 3, H, W), any H and W, into the map of each stage after its ReLU.

        That of stage s is (N, channels[s], h, w) with h = ceil(H / 4 / 2**s).
        """
        x = self.pool(F.relu(self.norm(self.conv(x)), inplace=True))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def standardize(weight: Tensor, formula: str) -> Tensor:
    """Standardise each filter of (out, in, kh, kw) over its in * kh * kw weights.

    'std' is ``get_weight`` of timm 0.4.5 (timm/models/layers/std_conv.py), 'var' the batch norm
    over filters of timm 1.x (timm/layers/std_conv.py, its eps vision_transformer_hybrid.py's).
    """
    if formula == 'std':
        std, mean = torch.std_mean(weight, dim=(1, 2, 3), correction=0, keepdim=True)
        return (weight - mean) / (std + 1e-5)
    var, mean = torch.var_mean(weight, dim=(1, 2, 3), correction=0, keepdim=True)
    return (weight - mean) * torch.rsqrt(var + 1e-8)


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


def patch_cfg_on_stem(stem: nn.Module, img_size: int | Sequence[int], patch_size: int) -> dict:
    """Give mmpretrain's ``patch_cfg`` of a 1x1 projection of the stem's last map.

    Raises:
        ValueError: If the patch is not the stem's stride, or its maps are not three that halve.
    """
    channels, strides = measure_maps(stem)
    if strides[-1] != patch_size:
        raise ValueError(f"patch_size must be the stem's stride {strides[-1]}, got {patch_size}")
    if strides != [patch_size / 4, patch_size / 2, patch_size]:
        raise ValueError(f"the stem's maps must be three of strides p/4, p/2, p, got {strides}")
    sides = [img_size] * 2 if isinstance(img_size, int) else img_size
    grid = tuple(-(-side // patch_size) for side in sides)
    return dict(in_channels=channels[-1], input_size=grid, kernel_size=1, stride=1)


@torch.no_grad()
def measure_maps(network: nn.Module) -> tuple[list[int], list[int]]:
    """Give channels and strides of a network's maps, from what it makes of a black image."""
    side = 64
    training = network.training
    network.eval()
    maps = network(torch.zeros(1, 3, side, side))
    network.train(training)
    return [feature.shape[1] for feature in maps], [side // feature.shape[-1] for feature in maps]
