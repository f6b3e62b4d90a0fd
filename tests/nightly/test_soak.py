"""Long runs hold what they held when they were warm: memory, open files, processes."""

import json
import os
from pathlib import Path
from statistics import median

import pytest
import tiny

from mmdpt.inference.model import init_model
from mmdpt.scenes import write_scenes

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='reads /proc'),
]

FOLDER = Path(__file__).parent
GREATEST_GROWTH = 0.02
"""Of the memory after the warm-up, which is the first fifth."""


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    """Forty training and ten validation scenes of 64 x 48 px."""
    root = tmp_path_factory.mktemp('scenes')
    write_scenes(root, num_train=40, num_val=10, size=tiny.SIZE, workers=1)
    return root


@pytest.fixture(scope='module')
def config(scenes, tmp_path_factory):
    """Labels and depth with a tiny model, whose iterations take milliseconds; three workers."""
    more = """
model['decode_head'].update(auxiliary_weight=0.2)
train_dataloader.update(num_workers=2, persistent_workers=True)
for part, first in zip(parts, (0, 4, 6)):
    part.indices = list(range(first, 40, 8))
val_dataloader.update(num_workers=1, persistent_workers=True)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=300, max_keep_ckpts=2))
"""
    return tiny.write_config(tmp_path_factory.mktemp('configs'), 'joint', scenes, more)


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


@pytest.mark.parametrize('iterations', [int(os.environ.get('MMDPT_SOAK_ITERATIONS', 3000))])
def test_training_holds_what_it_held(config, run_tool, tmp_path, record, iterations):
    out = tmp_path / 'measurements.jsonl'
    measure = dict(type='MeasureHook', out=str(out), interval=iterations // 60)
    path = tmp_path / 'config.py'
    path.write_text(f"""
_base_ = ['{config}']
custom_imports = dict(imports=['mmdpt.registry', 'soak'])
train_cfg = dict(max_iters={iterations}, val_interval={iterations // 10})
custom_hooks = [{measure}]
""")
    add_path = f'import sys; sys.path.append({str(FOLDER)!r})'
    done = run_tool('train.py', path, '--work-dir', tmp_path, before=add_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    # A batch on its way from a worker holds one or two descriptors.
    growth = check(out, warm=iterations // 5, last=iterations, files_on_their_way=3)
    tried = f'{iterations:,} iterations, 10 validations'
    record('soak, training', tried, f'memory {growth:+.1%}, files and processes constant')


@pytest.mark.parametrize('pictures', [int(os.environ.get('MMDPT_SOAK_PICTURES', 5000))])
def test_prediction_holds_what_it_held(config, run_tool, scenes, tmp_path, record, pictures):
    """And gives the same answers again, from one thread and from eight."""
    checkpoint, out = tmp_path / 'model.pth', tmp_path / 'measurements.jsonl'
    tiny.save(init_model(str(config)), checkpoint)
    folder = scenes / 'images' / 'training'
    done = run_tool(str(FOLDER / 'soak.py'), config, checkpoint, folder, pictures, out)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    growth = check(out, warm=pictures // 5, last=pictures)
    record(
        'soak, prediction',
        f'{pictures:,} pictures; {done.stdout.strip().splitlines()[-1]}',
        f'memory {growth:+.1%}, files and processes constant',
    )
