"""Two processes that share weights, gradients and optimiser (FSDP) train as two that do not."""

import json
import re

import pytest
import torch
from tiny import REPO

from mmdpt.training.resume.checkpoint_files import POINTER

pytestmark = [pytest.mark.distributed, pytest.mark.nightly, pytest.mark.timeout(900)]

OLDER, NEWER = 'iter_2.pth', 'iter_4.pth'


@pytest.fixture(scope='module')
def configs(config, tmp_path_factory):
    """A config without sharding and one with: one image a process, a gradient that is clipped."""
    folder = tmp_path_factory.mktemp('configs')
    whole, sharded = folder / 'whole.py', folder / 'sharded.py'
    whole.write_text(f"""
_base_ = ['{config}']
train_dataloader = dict(batch_size=1)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.1),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=0.1),
)
""")
    sharded.write_text(f"_base_ = ['{whole}', '{REPO}/configs/_base_/fsdp.py']\n")
    return dict(whole=whole, sharded=sharded)


@pytest.fixture(scope='module')
def trained_by_two(configs, run_tool, tmp_path_factory):
    """Work dirs of four iterations without sharding and with."""
    work_dirs = {}
    for name, path in configs.items():
        work_dirs[name] = tmp_path_factory.mktemp(name)
        done = run_tool('dist_train.sh', path, 2, '--work-dir', work_dirs[name])
        assert done.returncode == 0, done.stdout + done.stderr
        (work_dirs[name] / 'console.txt').write_text(done.stdout + done.stderr)
    return work_dirs


def read(path):
    return torch.load(path, weights_only=True)


def assert_alike(actual, expected):
    """Weights to 1e-6, a thousandth of the largest step, and everything of the optimiser."""
    assert list(actual['state_dict']) == list(expected['state_dict'])
    torch.testing.assert_close(actual['state_dict'], expected['state_dict'], rtol=1e-5, atol=1e-6)
    assert actual['optimizer']['param_groups'] == expected['optimizer']['param_groups']
    moments = expected['optimizer']['state']
    assert len(moments) == sum(len(g['params']) for g in actual['optimizer']['param_groups'])
    torch.testing.assert_close(actual['optimizer']['state'], moments, rtol=1e-3, atol=1e-8)


def test_a_rank_has_half_of_the_weights(trained_by_two):
    console = (trained_by_two['sharded'] / 'console.txt').read_text()
    ((own, whole),) = re.findall(r'sharded: rank 0 has (\d+) of (\d+) numbers', console)
    parameters = read(trained_by_two['whole'] / NEWER)['optimizer']['state'].values()
    assert int(whole) == sum(moments['exp_avg'].numel() for moments in parameters)
    assert int(own) == pytest.approx(int(whole) / 2, rel=0.01)


def test_checkpoints_are_those_of_a_training_without_sharding(trained_by_two):
    whole, sharded = (read(trained_by_two[name] / NEWER) for name in ('whole', 'sharded'))
    assert sharded.keys() == whole.keys()
    assert_alike(sharded, whole)


def test_the_gradient_is_clipped_by_its_norm_over_all_ranks(trained_by_two):
    norms = {}
    for name, work_dir in trained_by_two.items():
        (log,) = work_dir.glob('*/vis_data/scalars.json')
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        norms[name] = [line['grad_norm'] for line in lines if 'grad_norm' in line]
    assert len(norms['whole']) == 4
    assert min(norms['whole']) > 0.1  # so that it was clipped
    assert norms['sharded'] == pytest.approx(norms['whole'], rel=1e-5)


def test_the_checkpoint_evaluates_as_the_training_did(
    trained_by_two, configs, call_tool, capsys, tmp_path
):
    """In one process, with the config that shards."""
    work_dir = trained_by_two['sharded']
    arguments = (configs['sharded'], work_dir / NEWER, '--work-dir', tmp_path)
    assert call_tool('test.py', *arguments) == 0
    pattern = r'aAcc: ([\d.]+)  mIoU: ([\d.]+)  mAcc: ([\d.]+)'
    expected = re.findall(pattern, (work_dir / 'console.txt').read_text())
    assert len(expected) == 1
    assert re.findall(pattern, capsys.readouterr().out) == expected


@pytest.mark.parametrize('source', ['whole', 'sharded'])
def test_a_resumed_training_ends_as_the_uninterrupted_one(
    trained_by_two, configs, run_tool, tmp_path, source
):
    """From a checkpoint of either kind."""
    (tmp_path / OLDER).write_bytes((trained_by_two[source] / OLDER).read_bytes())
    (tmp_path / POINTER).write_text(str(tmp_path / OLDER))
    done = run_tool('dist_train.sh', configs['sharded'], 2, '--work-dir', tmp_path, '--resume')
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'resumed {tmp_path / OLDER}' in done.stdout
    assert_alike(read(tmp_path / NEWER), read(trained_by_two[source] / NEWER))


def test_one_process_goes_on_without_sharding(trained_by_two, configs, call_tool, tmp_path):
    (tmp_path / OLDER).write_bytes((trained_by_two['sharded'] / OLDER).read_bytes())
    (tmp_path / POINTER).write_text(str(tmp_path / OLDER))
    arguments = (configs['sharded'], '--work-dir', tmp_path, '--resume')
    assert call_tool('train.py', *arguments) == 0
    before, after = read(tmp_path / OLDER), read(tmp_path / NEWER)
    assert all(moments['step'] == 2 for moments in before['optimizer']['state'].values())
    assert all(moments['step'] == 4 for moments in after['optimizer']['state'].values())
