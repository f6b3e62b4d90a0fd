"""tools/convert_checkpoint.py writes what was asked for, or nothing."""

from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import DPTForSemanticSegmentation

from mmdpt.apis import init_model
from mmdpt.checkpoints import read_checkpoint, to_foreign
from mmdpt.checkpoints.reading import reader as files
from mmdpt.checkpoints.reading.releases import RELEASES, Release

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'dpt'
CONFIG = 'dpt_vit-ti16_scenes-depth'


@pytest.fixture
def convert(call_tool):
    return partial(call_tool, 'convert_checkpoint.py')


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
    assert convert(released, out, '--config', CONFIG, '--source', 'isl-org') == 0
    printed = capsys.readouterr().out
    assert 'isl-org (depth): ' in printed and 'all match' in printed
    loaded = init_model(CONFIG, str(out)).state_dict()
    assert all(torch.equal(loaded[key], weights[key]) for key in weights)
    assert [path.name for path in out.parent.iterdir()] == ['ours.pth']


@pytest.fixture
def child(tmp_path):
    """Write a config that changes the model of another."""

    def write(model, base=CONFIG):
        path = tmp_path / 'child.py'
        base = CONFIGS / f'{base}.py'
        path.write_text(f"_base_ = '{base}'\nmodel = {model!r}\n")
        return path

    return write


def with_updates(config, path):
    """Save a model of a LoRA config whose updates are not zero; give the model."""
    torch.manual_seed(1)
    model = init_model(str(config))
    for name, parameter in model.named_parameters():
        if name.endswith('lora_up'):
            torch.nn.init.normal_(parameter, std=0.1)
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return model


def assert_same_depth(first, second):
    image, meta = torch.randn(1, 3, 96, 96), [dict(img_shape=(96, 96), ori_shape=(96, 96))]
    with torch.no_grad():
        depth, expected = (model.encode_decode(image, meta) for model in (first, second))
    assert (depth - expected).abs().max() <= 1e-6 * expected.abs().max()


@pytest.mark.parametrize(('to', 'file'), [('isl-org', ''), ('huggingface', 'model.safetensors')])
def test_out_the_updates_of_lora_are_folded_in(convert, child, tmp_path, capsys, to, file):
    square = dict(backbone=dict(img_size=96), decode_head=dict(max_depth=None))
    plain = child(square).rename(tmp_path / 'plain.py')
    config = child(dict(square, backbone=dict(img_size=96, lora=dict(rank=2, alpha=6))))
    model = with_updates(config, tmp_path / 'ours.pth')
    out = tmp_path / ('theirs.pth' if to == 'isl-org' else 'theirs')
    assert convert(tmp_path / 'ours.pth', out, '--to', to, '--config', config) == 0
    assert 'the updates of LoRA are folded' in capsys.readouterr().out
    assert_same_depth(init_model(str(plain), str(out / file)), model)


def test_out_without_the_config_of_lora_is_refused(convert, child, tmp_path, capsys):
    with_updates(child(dict(backbone=dict(lora=dict(rank=2)))), tmp_path / 'ours.pth')
    assert convert(tmp_path / 'ours.pth', tmp_path / 'out.pth', '--to', 'isl-org') == 1
    assert 'ours.pth has LoRA updates; their factor' in capsys.readouterr().err
    assert not (tmp_path / 'out.pth').exists()


def test_within_mmdpt_the_updates_of_lora_stay(convert, child, tmp_path):
    config = child(dict(backbone=dict(lora=dict(rank=2))))
    model = with_updates(config, tmp_path / 'ours.pth')
    assert convert(tmp_path / 'ours.pth', tmp_path / 'out.pth', '--config', config) == 0
    assert_same_depth(init_model(str(config), str(tmp_path / 'out.pth')), model)


def test_the_name_of_a_release_is_its_config_and_downloads_nothing(
    convert, released, tmp_path, monkeypatch, capsys
):
    def fail(address):
        raise AssertionError(f'asked for {address}')

    monkeypatch.setattr(files, 'download', fail)
    options = ('model.decode_head.max_depth=30.0',)
    monkeypatch.setitem(RELEASES, 'tiny', Release(CONFIG, 'https://127.0.0.1:9/tiny.pt', options))
    assert convert(released, tmp_path / 'ours.pth', '--config', 'tiny') == 0
    assert 'tiny: of ' in capsys.readouterr().out
    out = tmp_path / 'hf'
    assert convert(released, out, '--to', 'huggingface', '--config', 'tiny') == 1
    assert 'embedding of (120, 160), not square' in capsys.readouterr().err


def test_class_names_of_the_config_go_with_a_file_that_has_none(convert, child, tmp_path):
    changes = dict(backbone=dict(img_size=96), decode_head=dict(auxiliary_weight=0.2))
    config = child(changes, base='dpt_vit-ti16_scenes')
    model = init_model(str(config))
    torch.save(to_foreign(model.state_dict(), 'isl-org')[0], tmp_path / 'released.pt')
    ours, folder = tmp_path / 'ours.pth', tmp_path / 'hf'
    assert convert(tmp_path / 'released.pt', ours, '--config', config) == 0
    names = model.dataset_meta['classes']
    assert len(names) == 12
    assert tuple(read_checkpoint(ours).meta['dataset_meta']['classes']) == tuple(names)
    arguments = ('--to', 'huggingface', '--config', config)
    assert convert(tmp_path / 'released.pt', folder, *arguments) == 0
    files = {'config.json', 'model.safetensors', 'preprocessor_config.json'}
    assert {path.name for path in folder.iterdir()} == files
    theirs = DPTForSemanticSegmentation.from_pretrained(folder)
    assert theirs.config.id2label == dict(enumerate(names))
    bias = model.state_dict()['decode_head.conv_seg.bias']
    assert torch.equal(theirs.state_dict()['head.head.4.bias'], bias)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['ours.pth', '--source', 'tip'], 'source must be one of auto, mmdpt, isl-org, '),
        (['ours.pth', '--source', 'tips'], 'no layout of tips (known: '),
        (
            ['ours.pth', '--config', 'dpt_vit-ti16_scenes'],
            'does not fit the model (EncoderDecoder): of ',
        ),
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
    from mmdpt.checkpoints.layouts import transformers_folder

    def fail(*arguments):
        (arguments[2] / 'config.json').touch()
        raise transformers_folder.InputError('no such model')

    monkeypatch.setattr(transformers_folder, 'write_folder', fail)
    before = set(tmp_path.iterdir())
    assert convert(released, tmp_path / 'hf', '--to', 'huggingface', '--config', CONFIG) == 1
    assert 'no such model' in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before
