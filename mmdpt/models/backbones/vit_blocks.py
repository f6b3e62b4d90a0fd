"""The parts of the Vision Transformer: padding, position embedding, attention and layer."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import FFN
from mmengine.model import BaseModule
from mmpretrain.models.utils import MultiheadAttention, SwiGLUFFNFused, build_norm_layer
from torch import Tensor

from mmdpt.errors import check_choice
from mmdpt.models.layers import recomputation

INTERPOLATIONS = (
    'bilinear',
    'bilinear-antialias',
    'bicubic',
    'bicubic-offset',
    'bicubic-antialias',
)
OFFSET = 0.1
"""Patches that DINOv2 adds to the grid before it computes the scale."""

SHORT = 512
"""Up to this many tokens, PyTorch 2.14's bfloat16 kernel for CPUs trains slower than float32's:
17 to 4 ms at 8 x 3 x 81 x 64, 62 to 53 ms at 400 tokens, 127 to 135 ms at 2 x 12 x 577 x 64."""

FFN_TYPES = ('origin', 'swiglu_fused')


class PadToMultiple(nn.Module):
    """Pad images (N, C, H, W) with zeros at the bottom and right to multiples of a number.

    mmcv's ``AdaptivePadding`` gives the same, but it pads only where it must, and so tracing and
    export fix whether an image is padded. Here the padding is arithmetic on the size alone. The
    sizes are written as multiples, because torch.export then knows that strides divide them, and
    not with ``-size %``, because inductor 2.14 refuses that.
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


def resize_position_embedding(
    embedding: Tensor,
    source: Sequence[int],
    grid: Sequence[int],
    mode: str,
    num_extra_tokens: int = 1,
) -> Tensor:
    """Interpolate a position embedding; one for the same grid is returned as it is.

    In a graph, compiled, exported or traced, which holds for every grid, nothing depends on
    whether the grids are the same: there every embedding is interpolated, which leaves the values
    of the same grid as they are.

    - 'bilinear': isl-org/DPT@cd3fe90 vit.py, and transformers' DPT, hybrid too.
    - 'bilinear-antialias': TIPSv2 (google-deepmind/tips@4db271d), and in transformers.
    - 'bicubic': transformers' Dinov2 and with it its Depth Anything; mmseg's ViT.
    - 'bicubic-offset': sampled with the step h / (h' + 0.1) in place of h / h', by which the
      samples drift up to 0.1 of a patch: facebookresearch/dinov2@b8931f7 vision_transformer.py and
      Depth-Anything-V2@a561b84 dinov2.py, so what the released weights were trained with.
    - 'bicubic-antialias': DINOv2 with registers, there (hub/backbones.py) and in transformers;
      timm, and with it SMP.

    The embedding of the grid ``source`` (h, w) is (1, extra + h * w, C): extra tokens in front have
    no place in the grid. It is interpolated in float32.
    """
    in_graph = torch.compiler.is_compiling() or torch.jit.is_tracing()
    if not in_graph and tuple(source) == tuple(grid):
        return embedding
    extra, patches = embedding[:, :num_extra_tokens], embedding[:, num_extra_tokens:]
    patches = patches.unflatten(1, tuple(source)).permute(0, 3, 1, 2).float()
    if mode == 'bicubic-offset' and in_graph:
        resized = resize_with_offset(patches, source, grid)
    elif mode == 'bicubic-offset':
        scale = tuple((new + OFFSET) / old for new, old in zip(grid, source, strict=True))
        resized = F.interpolate(patches, scale_factor=scale, mode='bicubic')
    else:
        name, _, antialias = mode.partition('-')
        resized = F.interpolate(patches, tuple(grid), mode=name, antialias=bool(antialias))
    return torch.cat((extra, resized.flatten(2).transpose(1, 2).to(embedding.dtype)), dim=1)


def resize_with_offset(patches: Tensor, source: Sequence[int], grid: Sequence[int]) -> Tensor:
    """Interpolate maps (1, C, h, w) as 'bicubic-offset', in tensors alone: for any grid (h', w').

    ``F.interpolate`` takes the step as a number, which an exported graph keeps from its example;
    and for the same grid the step is 1, without offset.
    """
    cells = [torch.arange(new, device=patches.device) for new in grid]
    old = torch.tensor(source, device=patches.device, dtype=patches.dtype)
    new = torch.stack([cell[-1] + 1 for cell in cells])
    step = torch.where((new == old).all(), 1.0, old / (new + OFFSET))
    rows, columns = (
        cubic_weights(cell, *of_axis) for cell, *of_axis in zip(cells, step, source, strict=True)
    )
    return rows @ patches @ columns.mT


def cubic_weights(cells: Tensor, step: Tensor, size: int) -> Tensor:
    """Weigh ``size`` samples for each of n cells of a resized axis, (n, size).

    Keys's cubic with a = -0.75 and the border repeated, as ``F.interpolate``.
    """
    centre = (cells + 0.5) * step - 0.5
    first = centre.floor()
    taps = torch.arange(-1, 3, device=cells.device)
    distance = (centre[:, None] - first[:, None] - taps).abs()
    near = (1.25 * distance - 2.25) * distance**2 + 1
    far = -0.75 * (((distance - 5) * distance + 8) * distance - 4)
    weights = torch.where(distance <= 1, near, far)
    index = (first[:, None] + taps).clamp(0, size - 1)
    samples = torch.arange(size, device=cells.device)
    return (weights[:, :, None] * (index[:, :, None] == samples)).sum(dim=1)


def attend(query: Tensor, key: Tensor, value: Tensor, **kwargs: Any) -> Tensor:
    """Compute ``F.scaled_dot_product_attention``; in float32 where bfloat16 is slower.

    Query, key and value are (N, heads, tokens, C).
    """
    slow_in_bfloat16 = (
        query.device.type == 'cpu'
        and query.dtype == torch.bfloat16
        and query.requires_grad
        and query.shape[-2] <= SHORT
    )
    if not slow_in_bfloat16:
        return F.scaled_dot_product_attention(query, key, value, **kwargs)
    with torch.autocast('cpu', enabled=False):
        attended = F.scaled_dot_product_attention(
            query.float(), key.float(), value.float(), **kwargs
        )
    return attended.to(query.dtype)


class Attention(MultiheadAttention):
    """mmpretrain's self-attention; one operation takes query, key and value apart.

    With three selections, each would fill a gradient of all three with zeros.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (N, tokens, C) to tokens."""
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, self.head_dims))
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind()
        dropout = self.attn_drop if self.training else 0.0
        attended = attend(query, key, value, dropout_p=dropout).transpose(1, 2).flatten(2)
        return self.out_drop(self.gamma1(self.proj_drop(self.proj(attended))))


class EncoderLayer(BaseModule):
    """mmpretrain's ``TransformerEncoderLayer``, with the same arguments, parameters and numbers.

    In training it can compute the GELU a second time instead of keeping it: its output is a quarter
    of what a layer keeps, its computation under a hundredth.

    Raises:
        ValueError: If ``ffn_type`` is neither 'origin' nor 'swiglu_fused' (DINOv2 giant).
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        layer_scale_init_value: float = 0.0,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        num_fcs: int = 2,
        qkv_bias: bool = True,
        ffn_type: str = 'origin',
        act_cfg: dict | None = None,
        norm_cfg: dict | None = None,
        recompute: bool | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.recompute = recompute
        check_choice('ffn_type', ffn_type, FFN_TYPES)
        drop_path = dict(type='DropPath', drop_prob=drop_path_rate)
        norm_cfg = norm_cfg or dict(type='LN')
        self.ln1 = build_norm_layer(norm_cfg, embed_dims)
        self.attn = Attention(
            embed_dims,
            num_heads,
            attn_drop=attn_drop_rate,
            proj_drop=drop_rate,
            dropout_layer=drop_path,
            qkv_bias=qkv_bias,
            layer_scale_init_value=layer_scale_init_value,
        )
        self.ln2 = build_norm_layer(norm_cfg, embed_dims)
        if ffn_type == 'swiglu_fused':
            self.ffn = SwiGLUFFNFused(
                embed_dims, feedforward_channels, layer_scale_init_value=layer_scale_init_value
            )
        else:
            self.ffn = FFN(
                embed_dims,
                feedforward_channels,
                num_fcs,
                act_cfg or dict(type='GELU'),
                ffn_drop=drop_rate,
                dropout_layer=drop_path,
                layer_scale_init_value=layer_scale_init_value,
            )

    def init_weights(self) -> None:
        """Initialise as mmpretrain: the feed-forward network by Xavier, its biases near zero."""
        super().init_weights()
        for module in self.ffn.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (N, tokens, C) to tokens."""
        x = x + self.attn(self.ln1(x))
        if not (torch.is_grad_enabled() and is_linear_gelu_linear(self.ffn)):
            return self.ffn(self.ln2(x), identity=x)
        (expand, activate, drop), contract, drop_contracted = self.ffn.layers
        hidden = expand(self.ln2(x))

        if drop.p > 0 and self.training:
            out = contract(drop(activate(hidden)))
        else:  # nothing random
            out = recomputation.call(lambda x: contract(activate(x)), hidden, self.recompute)
        return x + self.ffn.dropout_layer(self.ffn.gamma2(drop_contracted(out)))


def is_linear_gelu_linear(ffn: nn.Module) -> bool:
    """Tell whether a feed-forward network is the plain one, not SwiGLU."""
    return bool(type(ffn) is FFN and ffn.num_fcs == 2 and ffn.add_identity)
