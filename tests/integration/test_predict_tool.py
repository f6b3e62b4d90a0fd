"""tools/predict.py as a user types it, with tiny models of random weights."""

import json
import os
import resource
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmdpt.apis import init_model
from mmdpt.inference.inferencer import DPTInferencer
from mmdpt.inference.pfm import read_pfm

REPO = Path(__file__).resolve().parents[2]
ARCH = """
    data_preprocessor=dict(size=(48, 64)),
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48
        ),
        img_size=(48, 64),
        out_indices=(0, 1, 2, 3),
    ),
    decode_head=dict(embed_dims=24, reassemble_channels=(4, 8, 12, 16), channels=8),
"""
STEP = {'scenes': 1, 'scenes-depth': 2}
"""Which step of the test pipeline resizes."""


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """The arguments for a model of labels and one of depth."""
    folder = tmp_path_factory.mktemp('models')
    named = {}
    for config, step in STEP.items():
        path = folder / f'{config}.py'
        path.write_text(f"""
_base_ = ['{REPO}/configs/dpt/dpt_vit-ti16_{config}.py']
model = dict({ARCH})
test_pipeline = _base_.test_pipeline
test_pipeline[{step}].scale = (64, 48)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
""")
        torch.manual_seed(0)
        weights = init_model(str(path)).state_dict()
        torch.save(dict(state_dict=weights, meta={}), path.with_suffix('.pth'))
        checkpoint = str(path.with_suffix('.pth'))
        named[config] = ('--config', str(path), '--checkpoint', checkpoint)
    return named


@pytest.fixture
def pictures(tmp_path):
    """Two pictures and an empty file."""
    folder = tmp_path / 'in'
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, size in (('a', (60, 90)), ('c', (50, 40))):
        Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(
            folder / f'{name}.png'
        )
    (folder / 'b.png').touch()
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the tool in this process; give its exit code, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['predict.py', *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / 'tools' / 'predict.py'), run_name='__main__')
        return ended.value.code, *capsys.readouterr()

    return run


def test_a_folder_as_a_user_runs_it(run_tool, models, pictures, tmp_path):
    """One file is empty: the others are done, with the numbers of the inferencer."""
    out = tmp_path / 'out'
    options = ('--write', 'side-by-side', 'npy', 'pfm', '--batch-size', 2, '--device', 'cpu')
    done = run_tool(
        'predict.py', pictures, *models['scenes-depth'], '--out', out, '--json', *options
    )
    assert done.returncode == 1, done.stdout + done.stderr
    lines = {line['name']: line for line in map(json.loads, done.stdout.splitlines())}
    assert lines['b']['error'] == f'{pictures}/b.png is empty'
    assert (lines['a']['unit'], lines['a']['is_metric'], lines['a']['size']) == (
        'm',
        True,
        [90, 60],
    )
    assert done.stderr.splitlines()[-3:] == [
        f'2 images: 6 files in {out}; depth [m]',
        '1 of 3 images failed:',
        f'  {pictures}/b.png is empty',
    ]
    endings = ('depth.npy', 'depth.pfm', 'side-by-side.jpg')
    assert sorted(os.listdir(out)) == [f'{name}_{end}' for name in 'ac' for end in endings]
    expected = DPTInferencer(*models['scenes-depth'][1::2], device='cpu')(pictures / 'a.png').map
    np.testing.assert_allclose(np.load(out / 'a_depth.npy'), expected, rtol=1e-4)
    np.testing.assert_array_equal(read_pfm(out / 'a_depth.pfm'), np.load(out / 'a_depth.npy'))


def test_labels_of_a_real_photograph(run, models, data_root, tmp_path):
    photograph = min((data_root / 'demo_images').glob('*.jpg'))
    with Image.open(photograph) as image:
        size = image.size
    out = tmp_path / 'out'
    code, printed, _ = run(
        photograph, *models['scenes'], '--out', out, '--write', 'colour', 'png', '--device', 'cpu'
    )
    assert code == 0
    assert printed.endswith(f'1 image: 2 files in {out}; labels of 12 classes\n')
    for ending in ('labels.png', 'overlay.jpg'):
        with Image.open(out / f'{photograph.stem}_{ending}') as written:
            assert written.size == size


def test_known_points_through_the_tool(run, models, pictures, tmp_path):
    """Where the prediction is 1/d, the given depths are twice d: scale 1/2, shift 0."""
    inferencer = DPTInferencer(*models['scenes-depth'][1::2], device='cpu')
    depth = inferencer(pictures / 'a.png').map
    near, far = (np.unravel_index(at, depth.shape) for at in (depth.argmin(), depth.argmax()))
    assert depth[far] > depth[near] * (1 + 1e-4)
    rows = [f'{c},{r},{2 * float(depth[r, c])}' for r, c in (near, far)]
    (tmp_path / 'points.csv').write_text('\n'.join(['column,row,depth', *rows]))
    out = tmp_path / 'out'
    code, printed, errors = run(
        *(pictures / 'a.png', *models['scenes-depth'], '--out', out, '--device', 'cpu'),
        *('--write', 'npy', 'ply', '--field-of-view', 60, '--align', tmp_path / 'points.csv'),
    )
    assert code == 0, errors
    assert 'depth [m], aligned to the known points of' in printed
    np.testing.assert_allclose(np.load(out / 'a_depth.npy'), 2 * depth, rtol=1e-3)
    assert (out / 'a_points.ply').exists()


@pytest.mark.parametrize(
    ('model', 'options', 'message'),
    [
        (
            (),
            ('--model', 'dpt-large-midass'),
            'is named dpt-large-midass; the nearest names: dpt-la',
        ),
        ('scenes', ('--write', 'pfm'), 'the model predicts labels, which are not written as pfm'),
        ('scenes', ('--align', '{tmp}/points.csv'), 'the model predicts labels, not depth'),
        ('swapped', (), 'does not fit the model'),
        ('scenes', ('--out', '{tmp}/in/a.png'), 'in/a.png is a file, not a folder'),
        ('scenes-depth', ('--write', 'ply'), 'needs either the intrinsics of the camera'),
    ],
)
def test_one_message_and_exit_code_1(run, models, pictures, tmp_path, model, options, message):
    (tmp_path / 'points.csv').write_text('column,row,depth\n1,1,2\n9,9,1\n')
    swapped = (*models['scenes'][:3], models['scenes-depth'][3])
    named = dict(models, swapped=swapped).get(model, ()) if model else ()
    options = [option.format(tmp=tmp_path) for option in options]
    before = {path for path in tmp_path.rglob('*') if path.is_file()}
    code, printed, errors = run(
        pictures / 'a.png', '--out', tmp_path / 'out', *named, '--device', 'cpu', *options
    )
    assert code == 1 and printed == ''
    assert errors.startswith('error: ') and message in errors and len(errors.splitlines()) == 1
    assert {path for path in tmp_path.rglob('*') if path.is_file()} == before


def test_disk_that_fills_up(run, models, pictures, tmp_path):
    """Files may grow to 8000 bytes: the folder's trial passes, the map of 90 x 60 px does not."""
    out = tmp_path / 'out'
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, limits[1]))
    try:
        code, _, errors = run(
            *(pictures, *models['scenes-depth'], '--out', out, '--write', 'npy'),
            *('--device', 'cpu'),
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 1
    assert errors == f'error: cannot write {out}/a_depth.npy: File too large\n'
    assert os.listdir(out) == []


def test_help_says_what_each_file_is(run):
    code, printed, _ = run('--help')
    assert code == 0
    for ending in ('_colour', '_overlay', '_side-by-side', '_depth', '_labels', '_points'):
        assert ending in printed
