"""Two processes on a CPU: the scripts run, and they compute what one process computes."""

import re

import pytest
import tiny
import torch

pytestmark = pytest.mark.distributed


def test_two_processes_train_with_normalisation(config, run_ranks, tmp_path):
    """SyncBN becomes BN, nccl gloo, said once; no parameter is left without a gradient."""
    command = ('train.py', config, '--work-dir', tmp_path, '--launcher', 'pytorch')
    done = run_ranks(2, *command, '--cfg-options', 'train_cfg.max_iters=2')
    assert not any(rank.returncode for rank in done), done
    assert (tmp_path / 'iter_2.pth').is_file()
    if not torch.cuda.is_available():
        said = ''.join(rank.stdout for rank in done)
        assert said.count('BN for SyncBN, gloo for nccl') == 1


@pytest.mark.nightly
def test_the_scripts_train_and_evaluate_by_two_processes(trained, config, succeed, tmp_path):
    """With three images, so that the processes have uneven shares; no file goes between them."""
    done = succeed('dist_train.sh', config, 2, '--work-dir', tmp_path / 'trained')
    assert (tmp_path / 'trained' / 'iter_4.pth').is_file()
    folder = tmp_path / 'tested'
    folder.mkdir()
    arguments = (config, trained / 'iter_4.pth', 2, '--work-dir', folder / 'work')
    done = succeed('dist_test.sh', *arguments, cwd=folder)
    expected = (trained / 'console.txt').read_text()
    pattern = r'aAcc: ([\d.]+)  mIoU: ([\d.]+)  mAcc: ([\d.]+)'
    assert re.findall(pattern, done.stdout)[-1] == re.findall(pattern, expected)[-1]
    assert [path.name for path in folder.iterdir()] == ['work']


@pytest.fixture
def recorded(run_tool, tmp_path):
    """The command line that a script gives to Python, and what it tells torchrun by variables."""
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\necho "$@" "$TORCH_ELASTIC_SHUTDOWN_TIMEOUT"\n')
    python.chmod(0o755)

    def call(script, *arguments, **environment):
        return run_tool(script, *arguments, PYTHON=str(python), **environment).stdout.split()

    return call


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh'])
def test_the_second_of_two_machines_meets_at_the_first(recorded, script):
    files = ('CONFIG',) if script == 'dist_train.sh' else ('CONFIG', 'CHECKPOINT')
    several = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='1234')
    called = ' '.join(recorded(script, *files, 4, '--amp', **several))
    assert called.startswith(
        '-m torch.distributed.run --nnodes 2 --node_rank 1 --master_addr 10.0.0.1 '
        '--master_port 1234 --nproc_per_node 4 '
    )
    assert f'.py {" ".join(files)} --launcher pytorch --amp' in called


def test_runs_on_one_machine_do_not_meet_at_one_port(recorded):
    assert '--standalone' in recorded('dist_train.sh', 'CONFIG', 2)
    own = recorded('dist_train.sh', 'CONFIG', 2, PORT='29501')
    assert own[own.index('--master_port') + 1] == '29501'


def test_torchrun_waits_while_a_checkpoint_is_saved(recorded):
    assert recorded('dist_train.sh', 'CONFIG', 2)[-1] == '600'
    own = dict(TORCH_ELASTIC_SHUTDOWN_TIMEOUT='1800')
    assert recorded('dist_train.sh', 'CONFIG', 2, **own)[-1] == '1800'


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh'])
def test_scripts_without_arguments_say_how_to_use_them(run_tool, script):
    done = run_tool(script)
    assert done.returncode == 2
    assert 'usage:' in done.stderr


@pytest.mark.distributed
def test_two_processes_train_dinov3_jointly(scenes, run_ranks, tmp_path):
    """DDP would stop at the second step if the first left a parameter without gradient."""
    name, args = tiny.TIMM['dinov3']
    backbone = dict(
        _delete_=True,
        type='TimmDPTBackbone',
        model_name=name,
        model_args=args,
        norm_taps=True,
        drop_path_rate=0.1,
    )
    more = f'model["backbone"] = {backbone!r}\ntrain_cfg.update(max_iters=2, val_interval=2)\n'
    config = tiny.write_config(tmp_path, 'joint', scenes, more)
    done = run_ranks(
        *(2, 'train.py', config, '--work-dir', tmp_path / 'work', '--launcher', 'pytorch')
    )
    assert not any(rank.returncode for rank in done), done
    path = next((tmp_path / 'work').glob('iter_2.pth'))
    weights = torch.load(path, weights_only=True)['state_dict']
    assert 'backbone.timm_model.blocks.3.attn.q_bias' in weights
    assert all(value.isfinite().all() for value in weights.values())
