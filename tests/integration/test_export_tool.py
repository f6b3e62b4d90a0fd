"""tools/export.py as a user runs it."""

import json
from functools import partial

import pytest
import torch

from mmdpt.checkpoints.reading.releases import RELEASES, Release

CONFIG = 'dpt_vit-ti16_scenes'


@pytest.fixture
def export(call_tool):
    return partial(call_tool, 'export.py')


@pytest.mark.nightly
@pytest.mark.parametrize(
    ('format_name', 'name'), [('onnx', 'm.onnx'), ('torch-export', 'm.pt2'), ('openvino', 'm.xml')]
)
def test_writes_a_verified_file_and_says_so(succeed, written, tmp_path, format_name, name):
    out = tmp_path / 'new' / name
    model = written('segmentation')
    done = succeed('export.py', *model, '--format', format_name, '--out', out)
    assert 'logits of 1 x 3 x 48 x 64: ' in done.stdout
    assert done.stdout.count('of the greatest value') == 4
    assert f'wrote {out}' in done.stdout and 'equal to the model' in done.stdout
    assert 'Warning' not in done.stderr
    names = {name, 'm.bin'} if name == 'm.xml' else {name}
    assert {path.name for path in out.parent.iterdir()} == names


def test_a_released_models_name_stands_for_config_and_checkpoint(
    export, written, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(RELEASES, 'tiny', Release(*written('segmentation')))
    out = tmp_path / 'm.pt2'
    assert export('tiny', '--format', 'torch-export', '--out', out, '--no-verify') == 0
    assert 'not compared with the model' in capsys.readouterr().out
    files = {'mmdpt.json': ''}
    program = torch.export.load(out, extra_files=files).module()
    assert json.loads(files['mmdpt.json'])['resize']['size'] == [64, 48]
    with torch.no_grad():
        assert program(torch.zeros(1, 3, 50, 70))[0].shape == (1, 12, 50, 70)


def test_a_config_needs_a_checkpoint(export, tmp_path, capsys):
    out = tmp_path / 'm.pt2'
    assert export(CONFIG, '--format', 'torch-export', '--out', out) == 1
    message = f'{CONFIG} is not the name of a released model: give a checkpoint'
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ('name', 'message'),
    [('m.onnx', 'a file of torch-export ends in .pt2'), ('there.pt2', 'there.pt2 exists')],
)
def test_a_wrong_out_is_refused_before_the_model_is_built(export, tmp_path, capsys, name, message):
    older = tmp_path / 'there.pt2'
    older.write_bytes(b'older')
    missing = tmp_path / 'no.pth'
    assert export(CONFIG, missing, '--format', 'torch-export', '--out', tmp_path / name) == 1
    assert message in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [older] and older.read_bytes() == b'older'
