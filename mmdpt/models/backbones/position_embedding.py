"""Interpolate a position embedding to another grid of patches."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

INTERPOLATIONS = ('bilinear', 'bicubic', 'bicubic-offset', 'bicubic-antialias')
OFFSET = 0.1
"""Patches that DINOv2 adds to the grid before it computes the scale."""


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
    - 'bicubic': transformers' Dinov2 and with it its Depth Anything; mmseg's ViT.
    - 'bicubic-offset': sampled with the step h / (h' + 0.1) in place of h / h', by which the
      samples drift up to 0.1 of a patch: facebookresearch/dinov2@b8931f7 vision_transformer.py and
      Depth-Anything-V2@a561b84 dinov2.py, so what the released weights were trained with.
    - 'bicubic-antialias': DINOv2 with registers, there (hub/backbones.py) and in transformers;
      timm, and with it SMP.

    Args:
        embedding: (1, extra + h * w, C).
        source: Its grid (h, w).
        grid: The grid (h', w') asked for.
        mode: One of the above.
        num_extra_tokens: Tokens in front that have no place in the grid.

    Returns:
        (1, extra + h' * w', C), interpolated in float32.
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
