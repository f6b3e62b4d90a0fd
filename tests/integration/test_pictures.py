"""Curves and attention maps through the tools, as a user types them."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def runs(trained, tmp_path):
    """The same training as two runs."""
    return [shutil.copytree(trained, tmp_path / name) for name in ('base', 'variant')]


def test_runs_are_compared_by_name(call_tool, capsys, runs, tmp_path):
    scalars = next(runs[0].glob('*/vis_data/scalars.json')).read_text().splitlines()
    rows = [json.loads(line) for line in scalars]
    losses = {row['step']: row['loss'] for row in rows if 'loss' in row}
    (miou,) = (f'{row["mIoU"]:.4g}' for row in rows if 'mIoU' in row)
    least = min(losses, key=losses.get)
    loss = [f'{losses[4]:.4g}', '4', f'{losses[least]:.4g}', str(least)]
    out = tmp_path / 'new' / 'curves.png'
    command = ('analyze_logs.py', *runs, '--out', out, '--smooth', '2')
    assert call_tool(*command) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert table == [
        ['key', 'run', 'last', 'at', 'best', 'at'],
        *(['loss', name, *loss] for name in ('base', 'variant')),
        *(['mIoU', name, miou, '4', miou, '4'] for name in ('base', 'variant')),
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


def test_attention_of_a_trained_model(trained, config, succeed, scenes, tmp_path):
    image = scenes / 'images' / 'validation' / 'scene_00000001.jpg'
    out = tmp_path / 'attention.png'
    command = ('show_attention.py', config, trained / 'iter_4.pth', image, '--out', out)
    succeed(*command, '--layers', '1', '3', '--query', '10,40', 'readout')
    row = 16 + 270 + 34
    assert np.asarray(Image.open(out)).shape == (2 * row + 4, 3 * 360 + 2 * 4, 3)
