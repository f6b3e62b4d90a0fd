"""kill -9 at any moment costs no more than the iterations since the last checkpoint."""

import contextlib
import importlib.util
import math
import os
import random
import re
import signal
import time
import zipfile
from pathlib import Path

import pytest
import torch

from mmdpt.scenes import write_scenes

REPO = Path(__file__).resolve().parents[2]
ITERATIONS, INTERVAL, ACCUMULATED = 24, 3, 2
SAVED = [math.ceil(n / ACCUMULATED) * ACCUMULATED for n in range(INTERVAL, ITERATIONS, INTERVAL)]
"""Iterations with a checkpoint: at each interval, or when the update that it is in is made."""
ABOUT_THE_PROCESS = re.compile(
    r'\.(time|data_time|experiment_name|cfg|last_ckpt|best_ckpt|keep_ckpt_ids|memory)\b|/.*time'
)
"""Parts of a checkpoint that tell of the process that wrote it, and of its folder."""


def load_trainings():
    spec = importlib.util.spec_from_file_location('training', Path(__file__).parent / 'training.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Trainings()


@pytest.fixture(scope='module')
def trainings():
    server = load_trainings()
    yield server
    server.close()


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """Random crops, flips and colours, dropout and drop path, two workers, validation."""
    root = tmp_path_factory.mktemp('scenes')
    write_scenes(root, num_train=10, num_val=2, size=(64, 48), workers=1)
    path = root / 'killed.py'
    path.write_text(f"""
_base_ = ['{REPO}/configs/dpt/dpt_vit-ti16_scenes.py']
data_root = '{root}'
model = dict(
    data_preprocessor=dict(size=(48, 64)),
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48
        ),
        img_size=(48, 64),
        out_indices=(0, 1, 2, 3),
        drop_rate=0.1,
        drop_path_rate=0.1,
    ),
    decode_head=dict(
        embed_dims=24, reassemble_channels=(4, 8, 12, 16), channels=8, auxiliary_weight=0.2,
        dropout_ratio=0.1,
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='RandomResize', scale=(64, 48), ratio_range=(0.75, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(48, 64), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (64, 48)
train_dataloader = dict(
    batch_size=3,
    num_workers=2,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = val_dataloader
optim_wrapper = dict(type='OptimWrapper', accumulative_counts={ACCUMULATED})
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=6),
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=6, end={ITERATIONS}),
]
train_cfg = dict(max_iters={ITERATIONS}, val_interval=8)
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(
        interval={INTERVAL}, max_keep_ckpts=2, save_best='mIoU', retry_wait=0.0
    ),
)
randomness = dict(seed=0, deterministic=True)
env_cfg = dict(cudnn_benchmark=False)
""")
    return path


@pytest.fixture(scope='module')
def whole(trainings, config, tmp_path_factory):
    """The work dir of a training that nothing interrupts, and the time it took [s]."""
    work_dir = tmp_path_factory.mktemp('whole')
    start = time.monotonic()
    trainings.start([config, '--work-dir', work_dir], work_dir / 'output')
    assert trainings.wait() == 0, (work_dir / 'output').read_text()
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
        return [] if own == expected else [f'{name}: {own}, not {expected}']
    return found + [line for pair in pairs for line in differences(*pair)]


@pytest.mark.timeout(2700)
@pytest.mark.nightly
@pytest.mark.parametrize('kills', [3, 30])
def test_a_killed_training_ends_as_if_it_had_not_been(
    trainings, config, whole, tmp_path, record, kills
):
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
            kill = draw_kill(generator) if survived < kills else None
            output = tmp_path / 'output'
            process = trainings.start([config, '--work-dir', work_dir, '--resume'], output, kill)
            if kill is None and survived < kills:
                time.sleep(generator.uniform(0, duration))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            code = trainings.wait()
            text = output.read_text()
            assert code in (0, -signal.SIGKILL), text
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


def test_two_uninterrupted_trainings_are_equal(trainings, config, whole, tmp_path):
    """Otherwise the comparison of the killed ones would say nothing."""
    trainings.start([config, '--work-dir', tmp_path], tmp_path / 'output')
    assert trainings.wait() == 0, (tmp_path / 'output').read_text()
    own, theirs = (
        torch.load(folder / f'iter_{ITERATIONS}.pth', weights_only=True)
        for folder in (tmp_path, whole[0])
    )
    assert differences(own, theirs) == []
    assert differences(dict(own, meta=dict(own['meta'], iter=1)), theirs) == [
        f'.meta.iter: 1, not {ITERATIONS}'
    ]
