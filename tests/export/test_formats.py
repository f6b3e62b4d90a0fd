"""A written file computes what the model does, at any batch, height and width."""

import itertools
import json
import sys
from contextlib import nullcontext

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch

from mmdpt.errors import InputError
from mmdpt.export import FORMATS, export_model
from mmdpt.export.fixed_size import fold
from mmdpt.export.module import ExportableModel
from mmdpt.export.verification import verified_shapes
from mmdpt.inference.backends import open_openvino
from mmdpt.inference.metadata import as_strings, describe

KINDS = (
    *('vit', 'relative', 'hybrid', 'small-hybrid', 'depth-anything', 'registers', 'joint'),
    *('dinov3', 'beit', 'swinv2', 'convnext', 'normals'),
)
QUICK = [('relative', 'onnx'), ('relative', 'openvino'), ('relative', 'torch-export')]
"""One export a format; what a file says is looked at in these."""
ONNX_AND_OPENVINO = itertools.product(KINDS, ('onnx', 'openvino'))
TORCH_EXPORT = itertools.product(('vit', 'relative', 'hybrid', 'depth-anything'), ['torch-export'])
"""ONNX goes through torch.export, too."""
# OpenVINO's are refused, see docs/export.md
LEFT_OUT = [*QUICK, ('registers', 'openvino'), ('normals', 'openvino')]
LONG = [pair for pair in (*ONNX_AND_OPENVINO, *TORCH_EXPORT) if pair not in LEFT_OUT]
SHAPES = [(1, 3, 43, 113), (4, 3, 96, 48), (1, 3, 112, 70)]
"""None is among those that the export itself verifies."""


def open_onnx(path):
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return lambda image: session.run(None, {'image': image.numpy()})


def open_xml(path):
    compiled = openvino.Core().compile_model(path, 'CPU', dict(INFERENCE_PRECISION_HINT='f32'))
    return lambda image: list(compiled(image.numpy()).to_tuple())


OPENERS = {
    '.onnx': open_onnx,
    '.xml': open_xml,
    '.pt2': lambda path: torch.export.load(path).module(),
}


@pytest.fixture(scope='module')
def exported(build_tiny, copying, tmp_path_factory):
    """Export each pair once: model, path, comparisons. OpenVINO's goes on from the ONNX file."""
    done = {}

    def export(kind, format_name):
        if (kind, format_name) not in done:
            suffix, _, beside = FORMATS[format_name]
            model, folder = build_tiny(kind), tmp_path_factory.mktemp('exported')
            path = folder / f'{kind}{suffix}'
            goes_on = format_name == 'openvino'
            with copying(export(kind, 'onnx')[1]) if goes_on else nullcontext():
                comparisons = export_model(model, format_name, path)
            names = {path.name, path.with_suffix(beside or suffix).name}
            assert {file.name for file in folder.iterdir()} == names
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
    assert {c.shape for c in comparisons} == set(verified_shapes(ExportableModel(model)))
    assert {c.shape[-2:] for c in comparisons}.isdisjoint(shape[-2:] for shape in SHAPES)
    for shape in SHAPES:
        image = torch.randn(shape, generator=torch.Generator().manual_seed(shape[2]))
        assert_equals_eager(model, path, image)


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
    model = onnx.load(path)
    (opset,) = (entry.version for entry in model.opset_import if entry.domain == '')
    assert said_by(path)['opset'] == str(opset)
    graph = model.graph

    def axes(value):
        return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]

    assert [(v.name, axes(v)) for v in graph.input] == [('image', ['batch', 3, 'height', 'width'])]
    assert [(v.name, axes(v)[:2]) for v in graph.output] == outputs


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('onnx', dict(opset=17), '18 or above: got 17 for onnx'),
        ('torch-export', dict(opset=18), '18 or above: got 18 for torch-export'),
        ('onnx', dict(precision='fp16'), 'onnx is written in fp32, not in fp16'),
        ('openvino', dict(precision='int8'), 'needs images for its calibration'),
        ('openvino', dict(precision='fp16', calibration=[0]), 'int8, and no other precision'),
        ('torch-export', dict(size=(64, 64)), r'not for torch-export: got \(64, 64\)'),
        ('onnx', dict(size=(64, 0)), r'positive pixels.*got \(64, 0\)'),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path, name, options, message):
    with pytest.raises(InputError, match=message):
        export_model(None, name, tmp_path / f'a{FORMATS[name].suffix}', **options)


def said_by(path):
    """What a file says, as strings."""
    if path.suffix == '.onnx':
        return {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    if path.suffix == '.xml':
        return open_openvino(path).metadata
    files = {'mmdpt.json': ''}
    torch.export.load(path, extra_files=files)
    return as_strings(json.loads(files['mmdpt.json']))


@pytest.mark.parametrize(('kind', 'format_name'), QUICK)
def test_a_file_says_how_to_prepare_the_image_and_what_comes_out(exported, kind, format_name):
    model, path, _ = exported(kind, format_name)
    said, expected = said_by(path), as_strings(describe(model))
    assert said.items() >= expected.items()
    more = dict(onnx={'opset'}, openvino={'precision'}).get(format_name, set())
    assert said.keys() - expected.keys() == more
    assert (said['mean'], said['channel_order']) == ('[127.5, 127.5, 127.5]', 'RGB')
    assert (said['output'], said['unit'], said['is_metric']) == ('relative', '', 'false')


def test_openvino_in_half_precision_is_half_as_long_and_near(exported, copying, tmp_path):
    model, onnx_path, _ = exported('relative', 'onnx')
    out = tmp_path / 'm.xml'
    with copying(onnx_path):
        comparisons = export_model(model, 'openvino', out, precision='fp16')
    assert 1e-6 < max(comparison.difference for comparison in comparisons) < 1e-3
    _, whole, _ = exported('relative', 'openvino')
    sizes = [path.with_suffix('.bin').stat().st_size for path in (out, whole)]
    assert sizes[0] < 0.51 * sizes[1]
    out.unlink()
    with pytest.raises(InputError, match=r'm\.bin exists'):
        export_model(model, 'openvino', out)


def test_images_of_two_patches_and_less_are_taken_but_by_pt2(exported):
    image = torch.randn(1, 3, 9, 32)
    for kind, format_name in QUICK[:2]:
        assert_equals_eager(*exported(kind, format_name)[:2], image)
    program = torch.export.load(exported('relative', 'torch-export')[1]).module()
    with torch.no_grad():
        assert program(torch.zeros(1, 3, 33, 64))[0].shape == (1, 1, 33, 64)
        with pytest.raises(AssertionError, match='>= 33'):
            program(torch.zeros(1, 3, 32, 64))


def test_a_fixed_size_makes_the_resized_position_embedding_a_constant(build_tiny):
    """The weights, too, that are computed from parameters; the batch stays dynamic."""
    module = ExportableModel(build_tiny('hybrid'))
    axes = {'image': {0: torch.export.Dim.DYNAMIC}}
    graph = fold(module, torch.zeros(2, 3, 70, 98), axes)
    names = {str(node.target) for node in graph.graph.nodes}
    assert not [name for name in names if 'bicubic' in name or 'var_mean' in name]
    image = torch.randn(3, 3, 70, 98)
    with torch.no_grad():
        torch.testing.assert_close(graph(image)[0], module(image)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ('kind', 'format_name'),
    [('relative', 'onnx'), ('registers', 'onnx'), ('registers', 'openvino')],
)
def test_files_of_a_fixed_size_hold_no_cubic_resizing(build_tiny, tmp_path, kind, format_name):
    """OpenVINO's antialiased one differs from torch's, so this size alone makes that file equal."""
    out = tmp_path / f'm{FORMATS[format_name].suffix}'
    comparisons = export_model(build_tiny(kind), format_name, out, size=(70, 98))
    assert [c.shape for c in comparisons] == [(1, 3, 70, 98), (3, 3, 70, 98)]
    if format_name == 'openvino':
        shape = openvino.Core().read_model(out).inputs[0].partial_shape
        assert str(shape) == '[?,3,70,98]'
        return
    graph = onnx.load(out).graph
    shape = graph.input[0].type.tensor_type.shape.dim
    assert [each.dim_param or each.dim_value for each in shape] == ['batch', 3, 70, 98]
    resizes = [node for node in graph.node if node.op_type == 'Resize']
    modes = {entry.s for node in resizes for entry in node.attribute if entry.name == 'mode'}
    assert modes == {b'linear'}


@pytest.mark.nightly
@pytest.mark.parametrize('kind', ['relative', 'hybrid', 'registers', 'joint'])
def test_executorch_computes_images_of_one_size(build_tiny, tmp_path, kind):
    runtime = pytest.importorskip('executorch.runtime')
    model, out = build_tiny(kind), tmp_path / 'm.pte'
    comparisons = export_model(model, 'executorch', out, size=(70, 98))
    assert {c.shape for c in comparisons} == {(1, 3, 70, 98)}
    program = runtime.Runtime.get().load_program(out)
    for key, value in as_strings(describe(model)).items():
        assert program.load_method(key).execute([]) == [value]


class StandIn:
    """TensorRT, as far as it is called."""

    def __init__(self, reads=True, engine=b'engine'):
        self.reads, self.engine, self.profile = reads, engine, []

    def __getattr__(self, name):
        return self

    def __call__(self, *given):
        return self

    def parse_from_file(self, path):
        return onnx.load(path) and self.reads

    def set_shape(self, *given):
        self.profile.extend(given)

    def build_serialized_network(self, *given):
        return self.engine


@pytest.mark.parametrize(
    ('tensorrt', 'gpu', 'message'),
    [
        (StandIn(), True, None),
        (StandIn(), False, 'on the GPU that'),
        (StandIn(reads=False), True, 'cannot read the ONNX file'),
        (StandIn(engine=None), True, 'built no engine'),
    ],
)
def test_tensorrt_builds_from_the_verified_onnx_file(
    exported, copying, tmp_path, monkeypatch, tensorrt, gpu, message
):
    """A stand-in shows what is asked of it; no engine was built where this was written."""
    model, onnx_path, _ = exported('relative', 'onnx')
    out = tmp_path / 'm.engine'
    monkeypatch.setitem(sys.modules, 'tensorrt', tensorrt)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    if message is not None:
        with copying(onnx_path), pytest.raises(InputError, match=message):
            export_model(model, 'tensorrt', out)
        assert list(tmp_path.iterdir()) == []
        return
    with copying(onnx_path):
        assert export_model(model, 'tensorrt', out) == []
    assert tensorrt.profile == ['image', (1, 3, 32, 32), (1, 3, 64, 64), (8, 3, 128, 128)]
    assert out.read_bytes() == b'engine'
    assert json.loads((tmp_path / 'm.json').read_text())['output'] == 'relative'
    (tmp_path / 'broken').write_bytes(b'no graph')
    message = 'tensorrt cannot hold this model'
    with copying(tmp_path / 'broken'), pytest.raises(InputError, match=message):
        export_model(model, 'tensorrt', tmp_path / 'n.engine')


@pytest.mark.nightly
@pytest.mark.parametrize('kind', ['relative', 'hybrid', 'registers', 'joint'])
def test_coreml_holds_the_graph_of_one_size(build_tiny, tmp_path, kind):
    """At another size than the position embedding's; the package runs on Apple's systems alone."""
    coremltools = pytest.importorskip('coremltools')
    model, out = build_tiny(kind), tmp_path / 'm.mlpackage'
    assert export_model(model, 'coreml', out, precision='fp16', size=(70, 98)) == []
    spec = coremltools.models.MLModel(str(out), skip_model_load=True).get_spec()
    shapes = {each.name: [*each.type.multiArrayType.shape] for each in spec.description.output}
    module = ExportableModel(model)
    outputs = module(torch.zeros(1, 3, 70, 98))
    assert shapes == dict(zip(module.output_names, map(list, map(np.shape, outputs)), strict=True))
    said = spec.description.metadata.userDefined
    assert dict(said) | as_strings(describe(model)) == dict(said)
    held = sum(file.stat().st_size for file in out.rglob('weight.bin'))
    assert held < 0.6 * sum(parameter.nbytes for parameter in model.parameters())
