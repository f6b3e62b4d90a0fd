"""A written file computes what the model does, at any batch, height and width."""

import itertools
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from mmdpt.errors import InputError
from mmdpt.export import FORMATS, export_model
from mmdpt.export.metadata import as_strings, describe

pytestmark = pytest.mark.filterwarnings('ignore:`torch.jit:FutureWarning')

KINDS = (
    *('vit', 'relative', 'hybrid', 'small-hybrid', 'depth-anything', 'registers', 'joint'),
    *('dinov3', 'convnext'),
)
QUICK = [('relative', 'onnx'), ('relative', 'torch-export'), ('vit', 'torchscript')]
"""One export a format; what a file says is looked at in these."""
ONNX_AND_TORCHSCRIPT = itertools.product(KINDS, ('onnx', 'torchscript'))
TORCH_EXPORT = itertools.product(('vit', 'relative', 'hybrid', 'depth-anything'), ['torch-export'])
"""ONNX goes through torch.export, too."""
LONG = [pair for pair in (*ONNX_AND_TORCHSCRIPT, *TORCH_EXPORT) if pair not in QUICK]
SHAPES = [(1, 3, 43, 113), (4, 3, 96, 48), (1, 3, 112, 70)]
"""None is among those that the export itself verifies."""


def open_onnx(path):
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return lambda image: session.run(None, {'image': image.numpy()})


OPENERS = {
    '.onnx': open_onnx,
    '.pt2': lambda path: torch.export.load(path).module(),
    '.pt': torch.jit.load,
}


@pytest.fixture(scope='module')
def exported(build_tiny, tmp_path_factory):
    """Export each pair once: model, path, comparisons."""
    done = {}

    def export(kind, format_name):
        if (kind, format_name) not in done:
            model = build_tiny(kind)
            folder = tmp_path_factory.mktemp('exported')
            path = folder / f'{kind}{FORMATS[format_name][0]}'
            comparisons = export_model(model, format_name, path)
            assert [file.name for file in folder.iterdir()] == [path.name]
            done[kind, format_name] = model, path, comparisons
        return done[kind, format_name]

    return export


def assert_equals_eager(model, path, image):
    with torch.no_grad():
        expected = model.encode_decode(image, [dict(img_shape=image.shape[-2:])]).numpy()
        outputs = OPENERS[path.suffix](path)(image)
    actual = np.concatenate([np.asarray(output) for output in outputs], axis=1)
    assert actual.shape == expected.shape
    assert np.ptp(expected) > 1e-3 * np.abs(expected).max()
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ('kind', 'format_name'),
    [*QUICK, *(pytest.param(*pair, marks=pytest.mark.nightly) for pair in LONG)],
)
def test_equals_eager_at_sizes_that_were_not_verified(exported, kind, format_name):
    model, path, comparisons = exported(kind, format_name)
    assert {c.shape[-2:] for c in comparisons}.isdisjoint(shape[-2:] for shape in SHAPES)
    for shape in SHAPES:
        image = torch.randn(shape, generator=torch.Generator().manual_seed(shape[2]))
        assert_equals_eager(model, path, image)


def test_the_verification_covers_the_own_size_and_three_not_square(exported):
    _, _, comparisons = exported('relative', 'torch-export')
    assert [c.shape for c in comparisons] == [
        (1, 3, 64, 64),
        (2, 3, 49, 70),
        (1, 3, 99, 53),
        (3, 3, 55, 49),
    ]
    assert all(c.output == 'relative' and c.difference <= 1e-4 for c in comparisons)


@pytest.mark.parametrize(
    ('kind', 'outputs'),
    [
        ('relative', [('relative', ['batch', 1])]),
        pytest.param(
            *('joint', [('logits', ['batch', 12]), ('depth', ['batch', 1])]),
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_onnx_names_its_inputs_outputs_and_axes(exported, kind, outputs):
    _, path, _ = exported(kind, 'onnx')
    graph = onnx.load(path).graph

    def axes(value):
        return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]

    assert [(v.name, axes(v)) for v in graph.input] == [('image', ['batch', 3, 'height', 'width'])]
    assert [(v.name, axes(v)[:2]) for v in graph.output] == outputs


@pytest.mark.parametrize(
    ('format_name', 'opset'), [('onnx', 17), ('torchscript', 18)], ids=['low', 'no ONNX']
)
def test_opset_that_cannot_be_is_refused(tmp_path, format_name, opset):
    out = tmp_path / ('a.onnx' if format_name == 'onnx' else 'a.pt')
    with pytest.raises(InputError, match=f'18 or above: got {opset} for {format_name}'):
        export_model(None, format_name, out, opset=opset)


def test_onnx_says_how_to_prepare_the_image_and_what_comes_out(exported):
    ours, path, _ = exported('relative', 'onnx')
    model = onnx.load(path)
    opset = next(entry.version for entry in model.opset_import if entry.domain == '')
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said.items() >= as_strings(dict(describe(ours), opset=opset)).items()
    assert said['mean'] == '[127.5, 127.5, 127.5]'
    assert (said['channel_order'], said['output'], said['is_metric']) == (
        'RGB',
        'relative',
        'false',
    )


def test_pt2_carries_the_same_as_an_extra_file(exported):
    _, path, _ = exported('relative', 'torch-export')
    files = {'mmdpt.json': ''}
    torch.export.load(path, extra_files=files)
    said = json.loads(files['mmdpt.json'])
    assert (said['output'], said['unit'], said['is_metric']) == ('relative', '', False)
    assert said['resize']['rule'] == 'minimal'
    assert said['resize']['multiple'] == 32


def test_torchscript_carries_the_same_as_an_extra_file(exported):
    _, path, _ = exported('vit', 'torchscript')
    files = {'mmdpt.json': ''}
    torch.jit.load(path, _extra_files=files)
    said = json.loads(files['mmdpt.json'])
    assert said['outputs'] == ['logits']
    assert said['classes'][:2] == ['wall', 'building'] and len(said['classes']) == 150
    assert 'output' not in said


def test_pt2_refuses_images_of_two_patches_as_it_says(exported):
    _, path, _ = exported('relative', 'torch-export')
    program = torch.export.load(path).module()
    with torch.no_grad():
        assert program(torch.zeros(1, 3, 33, 64))[0].shape == (1, 1, 33, 64)
        with pytest.raises(AssertionError, match='>= 33'):
            program(torch.zeros(1, 3, 32, 64))


def test_onnx_and_torchscript_take_images_of_two_patches_and_less(exported):
    image = torch.randn(1, 3, 9, 32)
    for kind, format_name in (QUICK[0], QUICK[2]):
        assert_equals_eager(*exported(kind, format_name)[:2], image)
