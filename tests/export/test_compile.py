"""torch.compile takes the whole model as one graph, for any batch, height and width."""

import pytest
import torch

from mmdpt.export.module import ExportableModel

KINDS = ('vit', 'relative', 'hybrid', 'small-hybrid', 'depth-anything', 'registers', 'joint')


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def assert_equal(actual, expected):
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.nightly
@pytest.mark.parametrize('kind', KINDS)
def test_one_graph_without_break_serves_every_padded_size(build_tiny, kind):
    """'eager' runs the captured graph with eager's kernels."""
    model = ExportableModel(build_tiny(kind))
    compiled = torch.compile(model, dynamic=True, fullgraph=True, backend='eager')
    with torch.no_grad(), torch._dynamo.config.patch(error_on_recompile=True):
        for shape in [(2, 3, 100, 75), (3, 3, 67, 93), (4, 3, 75, 40)]:
            image = torch.randn(shape)
            for actual, expected in zip(compiled(image), model(image), strict=True):
                assert_equal(actual, expected)


@pytest.mark.nightly
@pytest.mark.parametrize('kind', ['vit', 'hybrid', 'depth-anything'])
def test_multiples_of_the_patch_do_not_break_the_graph(build_tiny, kind):
    """They may have a graph of their own, in which nothing is cut off."""
    model = ExportableModel(build_tiny(kind))
    compiled = torch.compile(model, dynamic=True, fullgraph=True, backend='eager')
    with torch.no_grad():
        for shape in [(2, 3, 100, 75), (2, 3, 64, 64), (3, 3, 70, 56), (2, 3, 96, 75)]:
            image = torch.randn(shape)
            assert_equal(compiled(image)[0], model(image)[0])


@pytest.mark.parametrize('kind', ['vit', pytest.param('hybrid', marks=pytest.mark.nightly)])
def test_encode_decode_without_graph_break(build_tiny, kind):
    model = build_tiny(kind)
    compiled = torch.compile(model.encode_decode, dynamic=True, fullgraph=True, backend='eager')
    image = torch.randn(2, 3, 50, 75)
    metas = [dict(img_shape=(50, 75))] * 2
    with torch.no_grad():
        assert_equal(compiled(image, metas), model.encode_decode(image, metas))


@pytest.mark.parametrize('kind', [pytest.param('vit', marks=pytest.mark.nightly), 'relative'])
def test_mode_tensor_without_graph_break(build_tiny, kind):
    """``model(inputs)``, as MMEngine's models are called for tensors."""
    model = build_tiny(kind)
    compiled = torch.compile(model, dynamic=True, fullgraph=True, backend='eager')
    image = torch.randn(2, 3, 50, 75)
    with torch.no_grad():
        assert_equal(compiled(image), model(image))
