"""A data set, a config and a runner of tools, all small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmdpt.scenes import write_scenes

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def scenes(tmp_path_factory):
    """Eight training and three validation scenes of 64 x 48 px."""
    root = tmp_path_factory.mktemp('scenes')
    write_scenes(root, num_train=8, num_val=3, size=(64, 48), workers=1)
    return root


@pytest.fixture(scope='session')
def config(scenes, tmp_path_factory):
    """A config as a user would inherit it: a tiny model, four iterations."""
    path = tmp_path_factory.mktemp('configs') / 'tiny.py'
    path.write_text(f"""
_base_ = ['{REPO}/configs/dpt/dpt_vit-ti16_scenes.py']
data_root = '{scenes}'
model = dict(
    data_preprocessor=dict(size=(48, 64)),
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48
        ),
        img_size=(48, 64),
        out_indices=(0, 1, 2, 3),
    ),
    decode_head=dict(
        embed_dims=24, reassemble_channels=(4, 8, 12, 16), channels=8, auxiliary_weight=0.2
    ),
)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = (64, 48)
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (64, 48)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
test_dataloader = val_dataloader
optim_wrapper = dict(type='OptimWrapper')
train_cfg = dict(max_iters=4, val_interval=4)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2, max_keep_ckpts=-1))
randomness = dict(seed=0, deterministic=True)
env_cfg = dict(cudnn_benchmark=False)
""")
    return path


@pytest.fixture(scope='session')
def run_tool():
    """Run a tool as a user does; return the finished process."""

    def run(tool, *arguments, **environment):
        command = [str(REPO / 'tools' / tool), *map(str, arguments)]
        if tool.endswith('.py'):
            command.insert(0, sys.executable)
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=environment.pop('cwd', None),
            env={**os.environ, 'PYTHON': sys.executable, **environment},
        )

    return run


@pytest.fixture(scope='session')
def trained(config, run_tool, tmp_path_factory):
    """The work dir of four iterations."""
    work_dir = tmp_path_factory.mktemp('trained')
    done = run_tool('train.py', config, '--work-dir', work_dir)
    assert done.returncode == 0, done.stdout + done.stderr
    (work_dir / 'console.txt').write_text(done.stdout + done.stderr)
    return work_dir


@pytest.fixture
def plain_step(config, tmp_path):
    """One step of plain SGD with rate 1 on the first two images, without normalisation layers.

    The weights after it are the initial ones minus the gradient.
    """
    path = tmp_path / 'plain.py'
    path.write_text(f"""
_base_ = ['{config}']
model = dict(decode_head=dict(norm_cfg=None))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(sampler=dict(shuffle=False), dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0)
)
param_scheduler = None
train_cfg = dict(max_iters=1, val_interval=100)
default_hooks = dict(checkpoint=dict(interval=1))
""")
    return path
