"""Positions of timm's encoders for any grid of patches: BEiT's, and DINOv3's in a graph."""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn as nn
import torch.nn.functional as F
from timm.layers import RotaryEmbeddingDinoV3
from timm.models.beit import Attention, Beit, gen_relative_position_index
from torch import Tensor

NUM_OF_CLASS_TOKEN = 3
"""Rows of the table that are no distance: class token to patch, patch to it, and to itself."""


def is_graph() -> bool:
    """Whether a graph for any size is being made."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


class AnySizeAttention(Attention):
    """Attention whose relative positions are interpolated to the grid of the image.

    timm's ``set_input_size`` does so once and for all, with a new parameter, by other numbers.
    """

    image_grid: tuple[int, int] | None = None
    """Patches of the image (h, w)."""

    def _get_rel_pos_bias(self) -> Tensor:
        grid, in_graph = self.image_grid, is_graph()
        if grid is None or (not in_graph and grid == tuple(self.window_size)):
            return super()._get_rel_pos_bias()
        table = resize_table(self.relative_position_bias_table, self.window_size, grid)
        positions = relative_positions.__wrapped__ if in_graph else relative_positions
        index = positions(grid, table.device)
        return table[index].permute(2, 0, 1)[None]


class AnySizeRope(RotaryEmbeddingDinoV3):
    """DINOv3's rotary positions; timm divides by a number that a graph keeps from its example."""

    def _create_embed(self, feat_shape: list[int], no_aug: bool = False) -> Tensor:
        usual = ('separate', 'ij', 0.0)
        if not is_graph() or (self.normalize_coords, self.grid_indexing, self.grid_offset) != usual:
            return super()._create_embed(feat_shape, no_aug)
        axes = (2 * (torch.arange(side) + 0.5) / side - 1 for side in feat_shape)
        coords = torch.stack(torch.meshgrid(*axes, indexing='ij'), dim=-1).flatten(0, 1)
        return torch.cat(self._get_pos_embed_from_coords(coords), dim=-1)


def take_any_size(model: nn.Module) -> nn.Module:
    """Let a model take images of any size, in place, where it needs more than timm's arguments."""
    if isinstance(getattr(model, 'rope', None), RotaryEmbeddingDinoV3):
        model.rope.__class__ = AnySizeRope
    if isinstance(model, Beit):
        model.patch_embed.strict_img_size = False
        for block in model.blocks:
            block.attn.__class__ = AnySizeAttention
    return model


def resize_table(table: Tensor, source: Sequence[int], grid: Sequence[int]) -> Tensor:
    """Interpolate the biases of a grid's distances: isl-org/MiDaS@4545977, midas/backbones/beit.py.

    Args:
        table: ((2h - 1)(2w - 1) + 3, heads), the last three rows of the class token.
        source: Its grid (h, w).
        grid: The grid (h', w') asked for.

    Returns:
        ((2h' - 1)(2w' - 1) + 3, heads).
    """
    old, new = (tuple(2 * side - 1 for side in sides) for sides in (source, grid))
    distances = table[:-NUM_OF_CLASS_TOKEN].unflatten(0, old).permute(2, 0, 1)[None]
    resized = F.interpolate(distances, new, mode='bilinear')[0].flatten(1).mT
    return torch.cat((resized, table[-NUM_OF_CLASS_TOKEN:]))


@lru_cache(maxsize=2)
def relative_positions(grid: tuple[int, int], device: torch.device) -> Tensor:
    """Give the row of the table for each pair of tokens, (1 + h * w, 1 + h * w)."""
    return gen_relative_position_index(grid, device)
