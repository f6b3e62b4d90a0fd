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
    if tuple(source) == tuple(grid):
        return embedding
    extra, patches = embedding[:, :num_extra_tokens], embedding[:, num_extra_tokens:]
    patches = patches.unflatten(1, tuple(source)).permute(0, 3, 1, 2).float()
    if mode == 'bicubic-offset':
        scale = tuple((new + OFFSET) / old for new, old in zip(grid, source, strict=True))
        resized = F.interpolate(patches, scale_factor=scale, mode='bicubic')
    else:
        name, _, antialias = mode.partition('-')
        resized = F.interpolate(patches, tuple(grid), mode=name, antialias=bool(antialias))
    return torch.cat((extra, resized.flatten(2).transpose(1, 2).to(embedding.dtype)), dim=1)
