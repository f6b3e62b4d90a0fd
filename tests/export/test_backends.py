"""An exported file predicts what its model does, in the picture's own pixels."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from mmdpt.apis import DPTInferencer, init_model
from mmdpt.errors import InputError
from mmdpt.export import export_model
from mmdpt.inference import backends
from mmdpt.inference.backends import Opened, model_of_file
from mmdpt.inference.metadata import as_strings, describe

SLIDE = 'model.update(test_cfg=dict(mode="slide", crop_size=(32, 32), stride=(16, 16)))\n'
SUFFIXES = dict(onnx='.onnx', openvino='.xml')
TASKS = ['joint', pytest.param('joint-slide', marks=pytest.mark.nightly)]


@pytest.fixture(scope='module')
def exported(written, copying, tmp_path_factory):
    """Export a tiny model with random weights; give config, checkpoint and a file by backend."""
    done = {}

    def export(task):
        if task not in done:
            config, checkpoint = written('joint', SLIDE if 'slide' in task else '', name=task)
            folder = tmp_path_factory.mktemp('exported')
            files = {name: folder / f'm{suffix}' for name, suffix in SUFFIXES.items()}
            export_model(init_model(config, checkpoint), 'onnx', files['onnx'])
            with copying(files['onnx']):
                export_model(init_model(config, checkpoint), 'openvino', files['openvino'])
            done[task] = config, checkpoint, files
        return done[task]

    return export


@pytest.mark.parametrize('backend', SUFFIXES)
@pytest.mark.parametrize('task', TASKS)
def test_an_exported_file_predicts_what_its_model_does(exported, task, backend):
    config, checkpoint, files = exported(task)
    images = [np.random.default_rng(0).integers(0, 256, (h, 61, 3), np.uint8) for h in (50, 80)]
    eager = DPTInferencer(config, checkpoint, 'cpu')(images)
    others = DPTInferencer(config, str(files[backend]), backend=backend)(images)
    for ours, theirs in zip(eager, others, strict=True):
        np.testing.assert_allclose(theirs.map, ours.map, rtol=1e-4)
        assert (theirs.labels == ours.labels).mean() > 0.999 and np.ptp(ours.labels) > 0
        for name in ('classes', 'palette', 'output', 'unit', 'is_metric', 'name'):
            assert getattr(theirs, name) == getattr(ours, name)


def test_the_tool_predicts_with_a_file(exported, call_tool, tmp_path):
    config, _, files = exported('joint')
    image, out = tmp_path / 'a.png', tmp_path / 'out'
    Image.new('RGB', (64, 48), (9, 99, 200)).save(image)
    options = ('--config', config, '--checkpoint', files['onnx'], '--backend', 'onnx')
    assert call_tool('predict.py', image, '--out', out, *options, '--write', 'npy') == 0
    assert {path.name for path in out.iterdir()} == {'a_depth.npy', 'a_labels.npy'}


def test_a_file_of_another_model_is_refused(written, monkeypatch, tmp_path):
    config, _ = written('depth')
    path = tmp_path / 'm.onnx'
    path.touch()
    said = as_strings(describe(init_model(config)))
    wrong = dict(said, mean='[0.0, 0.0, 0.0]')
    for metadata, message in [
        ({}, 'was not written by tools/export.py'),
        (wrong, r'another config: its mean is \[0\.0, 0\.0, 0\.0\], the config says \[1'),
    ]:
        opened = Opened(lambda image: [image], metadata)
        monkeypatch.setitem(backends.OPENERS, 'onnx', lambda path, precision, o=opened: o)
        with pytest.raises(InputError, match=message):
            model_of_file(config, str(path), 'onnx')
    opened = Opened(lambda image: [image], said)
    monkeypatch.setitem(backends.OPENERS, 'onnx', lambda path, precision: opened)
    assert model_of_file(config, str(path), 'onnx').encode_decode(torch.zeros(1), []).sum() == 0


def test_an_image_that_a_file_does_not_take_is_named(written):
    def run(image):
        raise RuntimeError('Got: 48\n Expected: 64')

    model = init_model(written('depth')[0])
    backends.run_instead(model, run)
    with pytest.raises(InputError, match='images of 1 x 3 x 48 x 64: Got: 48 Expected: 64'):
        model.encode_decode(torch.zeros(1, 3, 48, 64), [])


@pytest.mark.parametrize('backend', SUFFIXES)
@pytest.mark.parametrize('content', [None, b'', b'<net', b'\x08\x07'])
def test_a_missing_or_damaged_file_is_named(tmp_path, backend, content):
    path = tmp_path / f'm{SUFFIXES[backend]}'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f'm{SUFFIXES[backend]}'):
        DPTInferencer('dpt_vit-ti16_scenes', str(path), backend=backend)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(backend='tvm'), "eager, onnx or openvino, got 'tvm'"),
        (dict(backend='onnx', checkpoint=None), 'give it as checkpoint'),
        (dict(backend='onnx', precision='bf16'), 'in fp32 on the CPU, not in bf16'),
        (dict(backend='onnx', compile=True), 'not compiled'),
    ],
)
def test_settings_that_no_backend_has_are_refused(tmp_path, settings, message):
    path = tmp_path / 'm.onnx'
    onnx.save(onnx.ModelProto(), path)
    with pytest.raises(InputError, match=message):
        DPTInferencer('dpt_vit-ti16_scenes', **{'checkpoint': str(path), **settings})


def test_a_precision_that_the_cpu_lacks_is_refused(monkeypatch):
    import openvino

    monkeypatch.setattr(openvino.Core, 'get_property', lambda *_: ['FP32'], raising=False)
    with pytest.raises(InputError, match='does not compute in bf16 on this CPU'):
        backends.open_openvino(Path('m.xml'), 'bf16')
