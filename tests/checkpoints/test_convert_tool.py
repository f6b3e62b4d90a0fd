"""tools/convert_checkpoint.py writes what was asked for, or nothing."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from transformers import DPTForDepthEstimation

from mmdpt.apis import init_model
from mmdpt.checkpoints import read_checkpoint, to_foreign

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'convert_checkpoint.py'
CONFIG = 'dpt_vit-ti16_scenes-depth'


@pytest.fixture
def convert(monkeypatch):
    """Run the tool, give its exit code."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['convert_checkpoint.py', *map(str, arguments)])
        try:
            runpy.run_path(str(TOOL), run_name='__main__')
        except SystemExit as stop:
            return stop.code
        return 0

    return run


@pytest.fixture(scope='module')
def weights():
    torch.manual_seed(0)
    return init_model(CONFIG).state_dict()


@pytest.fixture
def released(tmp_path, weights):
    """A file of isl-org's names that fits CONFIG."""
    path = tmp_path / 'released.pt'
    torch.save({'model': to_foreign(weights, 'isl-org')[0], 'optimizer': {}}, path)
    return path


def test_in_fits_the_config_and_loads(convert, released, weights, tmp_path, capsys):
    out = tmp_path / 'new' / 'ours.pth'
    assert convert(released, out, '--config', CONFIG) == 0
    printed = capsys.readouterr().out
    assert 'isl-org (depth): ' in printed and 'all match' in printed
    loaded = init_model(CONFIG, str(out)).state_dict()
    assert all(torch.equal(loaded[key], weights[key]) for key in weights)
    assert [path.name for path in out.parent.iterdir()] == ['ours.pth']


def test_in_and_out_again_is_bitwise_equal(convert, released, tmp_path):
    assert convert(released, tmp_path / 'ours.pth') == 0
    assert convert(tmp_path / 'ours.pth', tmp_path / 'back.pth', '--to', 'isl-org') == 0
    before = read_checkpoint(released).state_dict
    after = read_checkpoint(tmp_path / 'back.pth').state_dict
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_out_is_a_folder_that_transformers_loads(convert, tmp_path):
    """Of a square position embedding: transformers' DPT has no other."""
    config, source, folder = tmp_path / 'square.py', tmp_path / 'ours.pth', tmp_path / 'hf'
    base = TOOL.parents[1] / 'configs' / 'dpt' / f'{CONFIG}.py'
    changes = 'dict(backbone=dict(img_size=96), decode_head=dict(max_depth=None))'
    config.write_text(f"_base_ = '{base}'\nmodel = {changes}\n")
    weights = init_model(str(config)).state_dict()
    torch.save(dict(state_dict=weights, meta={}), source)
    assert convert(source, folder, '--to', 'huggingface', '--config', config) == 0
    assert {path.name for path in folder.iterdir()} == {
        'config.json',
        'model.safetensors',
        'preprocessor_config.json',
    }
    theirs = DPTForDepthEstimation.from_pretrained(folder).state_dict()
    assert torch.equal(theirs['head.head.4.bias'], weights['decode_head.predictor.conv3.bias'])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['ours.pth', '--source', 'smp'], 'no layout of smp'),
        (['ours.pth', '--config', 'dpt_vit-ti16_scenes'], 'does not fit EncoderDecoder: of '),
        (['hf', '--to', 'huggingface'], '--to huggingface needs --config'),
        (['hf', '--to', 'huggingface', '--config', CONFIG], 'embedding of (120, 160), not square'),
        (['ours.bin'], 'ours.bin: the result is a .pth file'),
        (['there.pth'], 'there.pth exists'),
    ],
)
def test_an_error_is_printed_and_nothing_written(
    convert, released, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'there.pth').touch()
    before = set(tmp_path.iterdir())
    assert convert(released, *arguments) == 1
    assert message in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before


def test_what_transformers_lacks_leaves_nothing_behind(
    convert, released, tmp_path, capsys, monkeypatch
):
    from mmdpt.checkpoints import transformers_folder

    def fail(*arguments):
        (arguments[2] / 'config.json').touch()
        raise transformers_folder.InputError('no such model')

    monkeypatch.setattr(transformers_folder, 'write_folder', fail)
    before = set(tmp_path.iterdir())
    assert convert(released, tmp_path / 'hf', '--to', 'huggingface', '--config', CONFIG) == 1
    assert 'no such model' in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before
