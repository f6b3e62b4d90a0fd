"""tools/predict.py as a user types it, with tiny models of random weights."""

import json
import os
import socket

import numpy as np
import pytest
from PIL import Image
from tiny_files import write_map

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.inference.inferencer import DPTInferencer
from mmdpt.training.process_group import VARIABLES


@pytest.fixture(scope='module')
def models(written):
    """The arguments for a model of labels and one of depth."""
    paths = {task: written(task) for task in ('segmentation', 'depth')}
    return {
        task: ('--config', *path[:1], '--checkpoint', *path[1:]) for task, path in paths.items()
    }


@pytest.fixture
def pictures(tmp_path):
    """Two pictures and an empty file."""
    folder = tmp_path / 'in'
    random = np.random.default_rng(0)
    for name, size in (('a', (60, 90)), ('c', (50, 40))):
        write_map(folder / f'{name}.png', random.integers(0, 256, (*size, 3), np.uint8))
    (folder / 'b.png').touch()
    return folder


@pytest.fixture
def run(call_tool, capsys):
    """Run the tool in this process; give its exit code, output and errors."""
    return lambda *arguments: (call_tool('predict.py', *arguments), *capsys.readouterr())


def test_a_folder_as_a_user_runs_it(run_tool, models, pictures, tmp_path):
    """One file is empty: the others are done, with the numbers of the inferencer."""
    out = tmp_path / 'out'
    options = ('--write', 'side-by-side', 'npy', 'pfm', '--batch-size', 2, '--device', 'cpu')
    done = run_tool('predict.py', pictures, *models['depth'], '--out', out, '--json', *options)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = {line['name']: line for line in map(json.loads, done.stdout.splitlines())}
    assert lines['b']['error'] == f'{pictures}/b.png is empty'
    assert [lines['a'][key] for key in ('unit', 'is_metric', 'size')] == ['m', True, [90, 60]]
    assert done.stderr.splitlines()[-3:] == [
        f'2 images: 6 files in {out}; depth [m]',
        '1 of 3 images failed:',
        f'  {pictures}/b.png is empty',
    ]
    endings = ('depth.npy', 'depth.pfm', 'side-by-side.jpg')
    assert sorted(os.listdir(out)) == [f'{name}_{end}' for name in 'ac' for end in endings]
    expected = DPTInferencer(*models['depth'][1::2], device='cpu')(pictures / 'a.png').map
    np.testing.assert_allclose(np.load(out / 'a_depth.npy'), expected, rtol=1e-4)
    pfm = read_depth_file(str(out / 'a_depth.pfm'))
    np.testing.assert_array_equal(pfm, np.load(out / 'a_depth.npy'))


@pytest.mark.distributed
def test_two_processes_divide_a_folder_and_a_rerun_does_what_is_left(
    tools, models, pictures, tmp_path
):
    """Five pictures and an empty file; then two results are deleted, and the file is mended."""
    for name in 'def':
        (pictures / f'{name}.png').write_bytes((pictures / 'a.png').read_bytes())
    out = tmp_path / 'out'

    def run_both(launcher, *more):
        with socket.create_server(('127.0.0.1', 0)) as free:
            port = str(free.getsockname()[1])
        ranks = [
            tools.start(
                *('predict.py', pictures, *models['depth'], '--out', out, '--write', 'npy'),
                *('--json', '--device', 'cpu', '--launcher', launcher, *more),
                **dict(zip(VARIABLES[launcher], (str(rank), '2', str(rank)), strict=True)),
                MASTER_ADDR='127.0.0.1',
                MASTER_PORT=port,
            )
            for rank in (0, 1)
        ]
        done = [rank.wait() for rank in ranks]
        lines = [map(json.loads, each.stdout.splitlines()) for each in done]
        return done, [sorted(line['name'] for line in each) for each in lines]

    done, names = run_both('pytorch')
    assert [each.returncode for each in done] == [1, 1], done
    assert names == [['a', 'c', 'e'], ['b', 'd', 'f']]
    files = [f'{name}_depth.npy' for name in 'acdef']
    assert sorted(os.listdir(out)) == [*files, 'failed-1.jsonl']
    failed = json.loads((out / 'failed-1.jsonl').read_text())
    assert failed == dict(source=f'{pictures}/b.png', name='b', error=f'{pictures}/b.png is empty')
    summary = f'5 images: 5 files in {out}; depth [m]\n1 of 6 images failed, see {out}/failed-*.js'
    assert summary in done[0].stderr and f' files in {out}' not in done[1].stderr

    for name in 'ce':  # both of the first process: now each process does some
        (out / f'{name}_depth.npy').unlink()
    (pictures / 'b.png').write_bytes((pictures / 'a.png').read_bytes())
    before = os.stat(out / 'a_depth.npy').st_mtime_ns
    done, names = run_both('mpi', '--resume')
    assert [each.returncode for each in done] == [0, 0], done
    assert names == [['b', 'e'], ['c']]
    assert sorted(os.listdir(out)) == [f'{name}_depth.npy' for name in 'abcdef']
    assert os.stat(out / 'a_depth.npy').st_mtime_ns == before
    assert f'3 images done before, left out\n3 images: 3 files in {out}' in done[0].stderr


def test_labels_of_a_real_photograph(run, models, data_root, tmp_path):
    photograph = min((data_root / 'demo_images').glob('*.jpg'))
    with Image.open(photograph) as image:
        size = image.size
    out = tmp_path / 'out'
    options = ('--out', out, '--write', 'colour', 'png', '--device', 'cpu')
    code, printed, _ = run(photograph, *models['segmentation'], *options)
    assert code == 0
    assert printed.endswith(f'1 image: 2 files in {out}; labels of 12 classes\n')
    for ending in ('labels.png', 'overlay.jpg'):
        with Image.open(out / f'{photograph.stem}_{ending}') as written:
            assert written.size == size


def test_known_points_through_the_tool(run, models, pictures, tmp_path):
    """Where the prediction is 1/d, the given depths are twice d: scale 1/2, shift 0."""
    inferencer = DPTInferencer(*models['depth'][1::2], device='cpu')
    depth = inferencer(pictures / 'a.png').map
    near, far = (np.unravel_index(at, depth.shape) for at in (depth.argmin(), depth.argmax()))
    assert depth[far] > depth[near] * (1 + 1e-4)
    rows = [f'{c},{r},{2 * float(depth[r, c])}' for r, c in (near, far)]
    (tmp_path / 'points.csv').write_text('\n'.join(['column,row,depth', *rows]))
    out = tmp_path / 'out'
    code, printed, errors = run(
        *(pictures / 'a.png', *models['depth'], '--out', out, '--device', 'cpu'),
        *('--write', 'npy', 'ply', '--field-of-view', 60, '--align', tmp_path / 'points.csv'),
    )
    assert code == 0, errors
    assert '(field of view), aligned to the known points of' in printed
    np.testing.assert_allclose(np.load(out / 'a_depth.npy'), 2 * depth, rtol=1e-3)
    assert (out / 'a_points.ply').exists()


@pytest.mark.parametrize(
    ('checkpoint', 'options', 'message'),
    [
        ('depth', (), 'does not fit the model'),
        ('segmentation', ('--launcher', 'pytorch'), '--launcher pytorch is for a process that it'),
    ],
)
def test_one_message_and_exit_code_1(run, models, pictures, tmp_path, checkpoint, options, message):
    before = {path for path in tmp_path.rglob('*') if path.is_file()}
    named = (*models['segmentation'][:3], models[checkpoint][3])
    code, printed, errors = run(
        pictures / 'a.png', '--out', tmp_path / 'out', *named, '--device', 'cpu', *options
    )
    assert code == 1 and printed == ''
    assert errors.startswith('error: ') and message in errors and len(errors.splitlines()) == 1
    assert {path for path in tmp_path.rglob('*') if path.is_file()} == before


def test_help_says_what_each_file_is(run):
    code, printed, _ = run('--help')
    assert code == 0
    for ending in ('_colour', '_overlay', '_side-by-side', '_depth', '_labels', '_points'):
        assert ending in printed
