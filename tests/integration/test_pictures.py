"""Curves and attention maps through the tools, as a user types them."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def runs(tmp_path):
    """Two work dirs, of three iterations and a validation each."""
    for name, miou in (('base', 40.5), ('variant', 50.5)):
        folder = tmp_path / name / '20260101_000000' / 'vis_data'
        folder.mkdir(parents=True)
        rows = [dict(lr=0.1, loss=3.0 - k, iter=k, step=k) for k in (1, 2, 3)]
        rows.append(dict(mIoU=miou, step=3))
        (folder / 'scalars.json').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return tmp_path / 'base', tmp_path / 'variant'


def test_runs_are_compared(run_tool, runs, tmp_path):
    out = tmp_path / 'new' / 'curves.png'
    done = run_tool('analyze_logs.py', *runs, '--out', out, '--smooth', '2')
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()] == [
        ['key', 'run', 'last', 'at', 'best', 'at'],
        ['loss', 'base', '0', '3', '0', '3'],
        ['loss', 'variant', '0', '3', '0', '3'],
        ['mIoU', 'base', '40.5', '3', '40.5', '3'],
        ['mIoU', 'variant', '50.5', '3', '50.5', '3'],
        [str(out)],
    ]
    assert Image.open(out).size == (1200, 408)


def test_legend_names_the_runs(run_tool, runs, tmp_path):
    command = ('analyze_logs.py', *runs, '--keys', 'mIoU', '--out', tmp_path / 'a.png')
    done = run_tool(*command, '--legend', 'ViT', 'hybrid')
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[1:3]] == ['ViT', 'hybrid']
    done = run_tool(*command, '--legend', 'ViT')
    assert done.returncode == 1
    assert done.stderr == "error: --legend needs 2 different names, got ['ViT']\n"


def test_unknown_key_is_named_and_nothing_drawn(run_tool, runs, tmp_path):
    done = run_tool('analyze_logs.py', *runs, '--keys', 'mIou', '--out', tmp_path / 'a.png')
    assert done.returncode == 1
    assert done.stderr == 'error: no run holds mIou; there are: lr, loss, mIoU\n'
    assert not (tmp_path / 'a.png').exists()


def test_curves_of_a_real_training(trained, run_tool, tmp_path):
    done = run_tool('analyze_logs.py', trained, '--out', tmp_path / 'a.png')
    assert done.returncode == 0, done.stderr
    losses = [
        json.loads(line)['loss']
        for line in next(trained.glob('*/vis_data/scalars.json')).read_text().splitlines()
        if '"loss"' in line
    ]
    loss, miou = (line.split() for line in done.stdout.splitlines()[1:3])
    assert loss[2:] == [f'{losses[-1]:.4g}', '4', f'{min(losses):.4g}', loss[5]]
    assert miou[0] == 'mIoU' and miou[3] == '4'


def test_attention_of_a_trained_model(trained, config, run_tool, scenes, tmp_path):
    image = scenes / 'images' / 'validation' / 'scene_00000001.jpg'
    out = tmp_path / 'attention.png'
    command = ('show_attention.py', config, trained / 'iter_4.pth', image, '--out', out)
    done = run_tool(*command, '--layers', '1', '3', '--query', '10,40', 'readout')
    assert done.returncode == 0, done.stdout + done.stderr
    row = 16 + 270 + 34
    assert np.asarray(Image.open(out)).shape == (2 * row + 4, 3 * 360 + 2 * 4, 3)
    out.unlink()
    done = run_tool(*command, '--query', '64,0')
    assert done.returncode == 1
    assert done.stderr.endswith(f'error: query 64,0 is outside of {image}, 64 x 48 px\n')
    assert not out.exists()
