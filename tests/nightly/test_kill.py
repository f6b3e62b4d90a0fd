"""kill -9 at any moment costs no more than the iterations since the last checkpoint."""

import contextlib
import math
import os
import random
import re
import signal
import time
import zipfile
from pathlib import Path

import pytest
import tiny
import torch

ITERATIONS, INTERVAL, ACCUMULATED = 24, 3, 2
SAVED = [math.ceil(n / ACCUMULATED) * ACCUMULATED for n in range(INTERVAL, ITERATIONS, INTERVAL)]
"""Iterations with a checkpoint: at each interval, or when the update that it is in is made."""
ABOUT_THE_PROCESS = re.compile(
    r'\.(time|data_time|experiment_name|cfg|last_ckpt|best_ckpt|keep_ckpt_ids|memory)\b|/.*time'
)
"""Parts of a checkpoint that tell of the process that wrote it, and of its folder."""


@pytest.fixture(scope='module')
def config(scenes, tmp_path_factory):
    """Random crops, flips and colours, dropout and drop path, two workers, validation."""
    more = f"""{tiny.AUGMENTED}
model['backbone'].update(drop_rate=0.1, drop_path_rate=0.1)
model['decode_head'].update(auxiliary_weight=0.2, dropout_ratio=0.1)
train_dataloader.update(batch_size=3, num_workers=2, persistent_workers=True)
val_dataloader.update(num_workers=1, persistent_workers=True)
optim_wrapper = dict(type='OptimWrapper', accumulative_counts={ACCUMULATED})
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=6),
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=6, end={ITERATIONS}),
]
train_cfg = dict(max_iters={ITERATIONS}, val_interval=8)
default_hooks.update(
    checkpoint=dict(interval={INTERVAL}, max_keep_ckpts=2, save_best='mIoU', retry_wait=0.0)
)
"""
    return tiny.write_config(tmp_path_factory.mktemp('configs'), 'segmentation', scenes, more)


@pytest.fixture(scope='module')
def train(tools, config):
    """Train in a work dir, resuming what is there; give exit code and output.

    The training is killed at a call, see ``kill_at``, or ``after`` some seconds.
    """

    def run(work_dir, at=None, after=None):
        before = f'import sys; sys.path.append({str(Path(__file__).parent)!r})\n'
        before += f'from kill_at import kill_at; kill_at(*{at!r})' if at else ''
        running = tools.start('train.py', config, '--work-dir', work_dir, '--resume', before=before)
        if after is not None:
            time.sleep(after)
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGKILL)
        code, out, error = running.wait()
        assert code in (0, -signal.SIGKILL), out + error
        return code, out + error

    return run


@pytest.fixture(scope='module')
def whole(train, tmp_path_factory):
    """The work dir of a training that nothing interrupts, and the time it took [s]."""
    work_dir = tmp_path_factory.mktemp('whole')
    start = time.monotonic()
    assert train(work_dir)[0] == 0
    return work_dir, time.monotonic() - start


def draw_kill(generator):
    """None for a moment by the clock; or a call of the writing of the next few checkpoints."""
    what = generator.choice([None, None, 'write', 'write', 'fsync', 'replace', 'remove'])
    if what is None:
        return None
    number = {'write': 1500, 'fsync': 12, 'replace': 6, 'remove': 2}[what]
    return what, generator.randint(1, number), generator.choice(['before', 'in', 'after'])


def steps(work_dir):
    """The steps of the files with a checkpoint's name, every one of which must be whole."""
    found = {}
    for path in work_dir.glob('iter_*.pth'):
        torch.load(path, weights_only=True)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None, path
        found[int(path.stem.removeprefix('iter_'))] = path
    return found


def differences(own, expected, name=''):
    """Name what is not equal bit for bit."""
    if ABOUT_THE_PROCESS.search(name):
        return []
    if isinstance(expected, dict):
        found = [] if own.keys() == expected.keys() else [f'{name}: {own.keys() ^ expected.keys()}']
        pairs = [(own[key], expected[key], f'{name}.{key}') for key in own.keys() & expected.keys()]
    elif isinstance(expected, (list, tuple)):
        found = [] if len(own) == len(expected) else [f'{name}: {len(own)}, not {len(expected)}']
        pairs = [
            (a, b, f'{name}[{i}]') for i, (a, b) in enumerate(zip(own, expected, strict=False))
        ]
    elif isinstance(expected, torch.Tensor):
        return [] if torch.equal(own, expected) else [name]
    else:
        both_nan = own != own and expected != expected  # the IoU of a class that is nowhere
        return [] if own == expected or both_nan else [f'{name}: {own}, not {expected}']
    return found + [line for pair in pairs for line in differences(*pair)]


@pytest.mark.timeout(2700)
@pytest.mark.nightly
@pytest.mark.parametrize('kills', [3, 30])
def test_a_killed_training_ends_as_if_it_had_not_been(train, whole, tmp_path, record, kills):
    reference, duration = whole
    last = f'iter_{ITERATIONS}.pth'
    generator = random.Random(kills)
    survived = rounds = repeated = most = 0
    while survived < kills:
        work_dir = tmp_path / str(rounds)
        work_dir.mkdir()
        expected = 0
        code = None
        while code != 0:
            at = draw_kill(generator) if survived < kills else None
            by_clock = at is None and survived < kills
            after = generator.uniform(0, duration) if by_clock else None
            code, text = train(work_dir, at, after)
            resumed = re.findall(r'resumed .*/iter_(\d+)\.pth', text)
            if re.search(r'Iter\(train\)', text):
                assert resumed == ([str(expected)] if expected else []), text
            done = [int(n) for n in re.findall(r'Iter\(train\) +\[ *(\d+)/', text)]
            if code != 0:
                survived += 1
                found = steps(work_dir)
                reached = done[-1] if done else expected
                expected = max(found, default=0)
                assert expected >= max((n for n in SAVED if n < reached), default=0), text
                repeated += max(0, reached - expected)
                most = max(most, reached - expected)
        rounds += 1
        own, theirs = (
            torch.load(folder / last, weights_only=True) for folder in (work_dir, reference)
        )
        assert differences(own, theirs) == []
        assert len(steps(work_dir)) <= 2 and not list(work_dir.glob('.mmdpt-*'))
    record(
        'kill -9 at random moments, half of them while a checkpoint is written',
        f'{survived} kills of {rounds} trainings of {ITERATIONS} iterations',
        f'all resumed from the newest whole checkpoint, at most {most} iterations repeated, '
        'the same weights, optimiser and schedules bit for bit',
    )


@pytest.mark.nightly
def test_two_uninterrupted_trainings_are_equal(train, whole, tmp_path):
    """Otherwise the comparison of the killed ones would say nothing."""
    assert train(tmp_path)[0] == 0
    own, theirs = (
        torch.load(folder / f'iter_{ITERATIONS}.pth', weights_only=True)
        for folder in (tmp_path, whole[0])
    )
    assert differences(own, theirs) == []
    assert differences(dict(own, meta=dict(own['meta'], iter=1)), theirs) == [
        f'.meta.iter: 1, not {ITERATIONS}'
    ]
