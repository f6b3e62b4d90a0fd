"""Long runs hold what they held when they were warm: memory, open files, processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from mmdpt.scenes import write_scenes

pytestmark = pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='reads /proc')

FOLDER = Path(__file__).parent
REPO = FOLDER.parents[1]
GREATEST_GROWTH = 0.02
"""Of the memory after the warm-up, which is the first fifth."""


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    """Forty training and ten validation scenes of 64 x 48 px."""
    root = tmp_path_factory.mktemp('scenes')
    write_scenes(root, num_train=40, num_val=10, size=(64, 48), workers=1)
    return root


@pytest.fixture(scope='module')
def config(scenes, tmp_path_factory):
    """Labels and depth with a tiny model; a run of training takes milliseconds an iteration."""
    path = tmp_path_factory.mktemp('configs') / 'soak.py'
    path.write_text(f"""
_base_ = ['{REPO}/configs/dpt/dpt_vit-ti16_scenes-joint.py']
tiny = dict(embed_dims=24, reassemble_channels=(4, 8, 12, 16), channels=8)
model = dict(
    data_preprocessor=dict(size=(48, 64)),
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48
        ),
        img_size=(48, 64),
        out_indices=(0, 1, 2, 3),
    ),
    decode_head=dict(auxiliary_weight=0.2, **tiny),
    depth_head=tiny,
)
train_dataloader = _base_.train_dataloader
train_dataloader.update(batch_size=2, num_workers=2)
for part, first in zip(train_dataloader.dataset.datasets, (0, 4, 6)):
    part.update(data_root='{scenes}', indices=list(range(first, 40, 8)))
    part.pipeline[-4].scale = (64, 48)
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (64, 48)
val_dataloader = dict(
    num_workers=1, dataset=dict(data_root='{scenes}', pipeline=test_pipeline)
)
test_dataloader = val_dataloader
optim_wrapper = dict(type='OptimWrapper')
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=300, max_keep_ckpts=2))
""")
    return path


def run(*command, **environment):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', **environment},  # as fast, and beside others
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def check(out, warm, last, files_on_their_way=0):
    """Compare the last fifth of the measurements after ``warm``, up to ``last``, with the first.

    Returns:
        The growth of the memory of the process that grew most.
    """
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert lines[-1]['at'] == last
    lines = [line for line in lines if line['at'] > warm]
    assert all(line['processes'] == lines[0]['processes'] for line in lines), lines
    part = max(len(lines) // 5, 1)
    first, last = lines[:part], lines[-part:]
    files = [median(line['files'] for line in some) for some in (first, last)]
    assert abs(files[1] - files[0]) <= files_on_their_way, lines
    before, after = (
        [median(numbers) for numbers in zip(*(line['memory'] for line in some), strict=True)]
        for some in (first, last)
    )
    growth = max(b / a - 1 for a, b in zip(before, after, strict=True))
    assert growth <= GREATEST_GROWTH, f'memory grew by {growth:.1%}: {lines}'
    return growth


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize('iterations', [int(os.environ.get('MMDPT_SOAK_ITERATIONS', 3000))])
def test_training_holds_what_it_held(config, tmp_path, record, iterations):
    out = tmp_path / 'measurements.jsonl'
    measure = dict(type='MeasureHook', out=str(out), interval=iterations // 60)
    path = tmp_path / 'config.py'
    path.write_text(f"""
_base_ = ['{config}']
custom_imports = dict(imports=['mmdpt.registry', 'soak'])
train_cfg = dict(max_iters={iterations}, val_interval={iterations // 10})
custom_hooks = [{measure}]
""")
    run(REPO / 'tools/train.py', path, '--work-dir', tmp_path, PYTHONPATH=str(FOLDER))
    # A batch on its way from a worker holds one or two descriptors.
    growth = check(out, warm=iterations // 5, last=iterations, files_on_their_way=3)
    tried = f'{iterations:,} iterations, 10 validations'
    record('soak, training', tried, f'memory {growth:+.1%}, files and processes constant')


@pytest.mark.timeout(1800)
@pytest.mark.parametrize('pictures', [300, pytest.param(5000, marks=pytest.mark.nightly)])
def test_prediction_holds_what_it_held(config, scenes, tmp_path, record, pictures):
    """And gives the same answers again, from one thread and from eight."""
    checkpoint, out = tmp_path / 'model.pth', tmp_path / 'measurements.jsonl'
    weights = f"""
import torch
from mmdpt.apis import init_model
torch.manual_seed(0)
torch.save(dict(state_dict=init_model({str(config)!r}).state_dict()), {str(checkpoint)!r})
"""
    run('-c', weights)
    folder = scenes / 'images' / 'training'
    said = run(FOLDER / 'soak.py', config, checkpoint, folder, pictures, out)
    growth = check(out, warm=pictures // 5, last=pictures)
    record(
        'soak, prediction',
        f'{pictures:,} pictures; {said.strip().splitlines()[-1]}',
        f'memory {growth:+.1%}, files and processes constant',
    )
