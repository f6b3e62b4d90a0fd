"""Padding to the patch, and cutting it off, in eager mode and in graphs."""

from fractions import Fraction

import pytest
import torch
from mmcv.cnn.bricks.transformer import AdaptivePadding

from mmdpt.models.backbones.vit_blocks import PadToMultiple
from mmdpt.models.decode_heads.dpt_head import cut_to, padded_size, stride_of


@pytest.mark.parametrize('size', [(1, 1), (31, 33), (32, 48), (47, 16)])
def test_pads_as_mmcv_does(size):
    image = torch.randn(2, 3, *size)
    assert torch.equal(PadToMultiple(16)(image), AdaptivePadding(16, 16)(image))


def test_pads_zeros_at_the_bottom_and_right():
    padded = PadToMultiple(4)(torch.ones(1, 1, 3, 5))
    assert padded[0, 0].tolist() == [[1] * 5 + [0] * 3] * 3 + [[0] * 8]


@pytest.mark.parametrize(
    ('patch_size', 'scale', 'stride'),
    [
        (16, 4, Fraction(2)),
        (14, 4, Fraction(7, 4)),
        (4, 1, Fraction(2)),
        (14, 3, Fraction(7, 3)),
        (16, 0.5, Fraction(16)),
        (9, 1 / 3, Fraction(27, 2)),
    ],
)
def test_a_cell_of_the_fused_map_is_half_a_cell_of_the_first(patch_size, scale, stride):
    assert stride_of(patch_size, scale) == stride


@pytest.mark.parametrize('patch_size', [4, 14, 16])
@pytest.mark.parametrize('scale', [1, 2, 3, 4])
def test_the_padded_size_is_the_grids(patch_size, scale):
    grid = (5, 37)
    fused = tuple(2 * scale * cells for cells in grid)
    expected = tuple(patch_size * cells for cells in grid)
    assert padded_size(fused, stride_of(patch_size, scale)) == expected


def test_cuts_at_the_bottom_and_right():
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    assert cut_to(image, (2, 3)).tolist() == [[[[0, 1, 2], [4, 5, 6]]]]
