"""In a graph, one interpolation holds for every grid and gives what eager mode does."""

import pytest
import torch

from mmdpt.models.backbones.vit_blocks import (
    INTERPOLATIONS,
    cubic_weights,
    resize_position_embedding,
)

GRIDS = [(9, 9), (5, 8), (8, 5), (3, 2), (1, 14), (5, 5), (25, 1)]


@pytest.fixture
def in_graph(monkeypatch):
    """Interpolate as in a compiled or exported graph."""

    def resize(*arguments):
        with monkeypatch.context() as patched:
            patched.setattr(torch.compiler, 'is_compiling', lambda: True)
            return resize_position_embedding(*arguments)

    return resize


@pytest.mark.parametrize('grid', GRIDS)
@pytest.mark.parametrize('mode', INTERPOLATIONS)
def test_graphs_and_eager_mode_agree(in_graph, mode, grid):
    torch.manual_seed(0)
    embedding = torch.randn(1, 1 + 25, 6)
    eager = resize_position_embedding(embedding, (5, 5), grid, mode)
    torch.testing.assert_close(in_graph(embedding, (5, 5), grid, mode), eager, rtol=0, atol=4e-6)


@pytest.mark.parametrize('mode', INTERPOLATIONS)
def test_the_same_grid_keeps_every_value(in_graph, mode):
    embedding = torch.randn(1, 1 + 20, 6)
    torch.testing.assert_close(
        in_graph(embedding, (4, 5), (4, 5), mode), embedding, rtol=0, atol=1e-6
    )


def test_cubic_weights_are_keyss():
    """a = -0.75: w(0.5) = 0.59375, w(1.5) = -0.09375."""
    weights = cubic_weights(torch.tensor([1]), torch.tensor(4 / 3), 4)  # centre 1.5
    torch.testing.assert_close(weights, torch.tensor([[-0.09375, 0.59375, 0.59375, -0.09375]]))


def test_cubic_weights_repeat_the_border():
    """Centre -0.25: w(1.75), w(0.75) and w(0.25) fall on the first sample, w(1.25) on the next."""
    weights = cubic_weights(torch.tensor([0]), torch.tensor(0.5), 4)
    torch.testing.assert_close(weights, torch.tensor([[1.10546875, -0.10546875, 0, 0]]))
