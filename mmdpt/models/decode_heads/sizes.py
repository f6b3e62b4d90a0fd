"""Sizes between a head's output and the image, which the backbone pads to its patch."""

from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor


def stride_of(patch_size: int, scale: float) -> Fraction:
    """Give the image pixels a cell of the fused map: half a cell of the first tap's map.

    Args:
        patch_size: Image pixels per cell of the first tap's grid.
        scale: Factor from that grid to its map's, s, 1 or 1/s with integer s.
    """
    return Fraction(patch_size) / (2 * Fraction(scale).limit_denominator(patch_size))


def padded_size(output_size: Sequence[int], stride: Fraction) -> tuple[int, int]:
    """Give the size of the padded image [px] from that of an output with ``stride`` px a cell.

    In integers, which a graph for any size can hold.
    """
    height, width = output_size
    return (
        height * stride.numerator // stride.denominator,
        width * stride.numerator // stride.denominator,
    )


def input_size(meta: dict) -> tuple[int, int]:
    """Give the size of the network's input [px] from an image's meta information."""
    if isinstance(meta['img_shape'], torch.Size):  # mmseg's slide inference: its window
        height, width = meta['img_shape']
    else:
        height, width = meta.get('pad_shape', meta['img_shape'])[:2]
    return height, width


def cut_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """Cut maps (N, C, H, W) off at the bottom and right: what the backbone padded.

    A slice of an exported graph would hold whether it leaves anything out, as its example did.
    """
    height, width = size
    return x[..., :height, :width]
