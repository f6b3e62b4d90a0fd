"""Curves and attention maps through the tools, as a user types them."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def runs(tmp_path):
    """Two work dirs with three iterations and a validation each."""
    for name, miou in (('base', 40.5), ('variant', 50.5)):
        folder = tmp_path / name / '20260101_000000' / 'vis_data'
        folder.mkdir(parents=True)
        rows = [dict(lr=0.1, loss=3.0 - k, iter=k, step=k) for k in (1, 2, 3)]
        rows.append(dict(mIoU=miou, step=3))
        (folder / 'scalars.json').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return tmp_path / 'base', tmp_path / 'variant'


def test_runs_are_compared_by_name(call_tool, capsys, runs, tmp_path):
    out = tmp_path / 'new' / 'curves.png'
    command = ('analyze_logs.py', *runs, '--out', out, '--smooth', '2')
    assert call_tool(*command) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert table == [
        ['key', 'run', 'last', 'at', 'best', 'at'],
        ['loss', 'base', '0', '3', '0', '3'],
        ['loss', 'variant', '0', '3', '0', '3'],
        ['mIoU', 'base', '40.5', '3', '40.5', '3'],
        ['mIoU', 'variant', '50.5', '3', '50.5', '3'],
        [str(out)],
    ]
    assert Image.open(out).size == (1200, 408)
    assert call_tool(*command, '--keys', 'mIoU', '--legend', 'ViT', 'hybrid') == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in shown[1:3]] == ['ViT', 'hybrid']


def test_wrong_options_are_named_and_nothing_is_drawn(call_tool, capsys, runs, tmp_path):
    out = tmp_path / 'a.png'
    assert call_tool('analyze_logs.py', *runs, '--legend', 'ViT', '--out', out) == 1
    expected = "error: --legend needs 2 different names, got ['ViT']\n"
    assert capsys.readouterr().err == expected and not out.exists()


def test_curves_of_a_real_training(trained, call_tool, capsys, tmp_path):
    assert call_tool('analyze_logs.py', trained, '--out', tmp_path / 'a.png') == 0
    loss, miou = (line.split() for line in capsys.readouterr().out.splitlines()[1:3])
    losses = [
        json.loads(line)['loss']
        for line in next(trained.glob('*/vis_data/scalars.json')).read_text().splitlines()
        if '"loss"' in line
    ]
    assert loss[2:] == [f'{losses[-1]:.4g}', '4', f'{min(losses):.4g}', loss[5]]
    assert miou[0] == 'mIoU' and miou[3] == '4'


def test_attention_of_a_trained_model(trained, config, succeed, scenes, tmp_path):
    image = scenes / 'images' / 'validation' / 'scene_00000001.jpg'
    out = tmp_path / 'attention.png'
    command = ('show_attention.py', config, trained / 'iter_4.pth', image, '--out', out)
    succeed(*command, '--layers', '1', '3', '--query', '10,40', 'readout')
    row = 16 + 270 + 34
    assert np.asarray(Image.open(out)).shape == (2 * row + 4, 3 * 360 + 2 * 4, 3)
