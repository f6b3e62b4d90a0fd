"""Two processes on a CPU: the scripts run, and they compute what one process computes."""

import os
import re
import socket
import subprocess
import sys

import pytest
import torch

pytestmark = pytest.mark.distributed


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def weights(work_dir):
    return torch.load(work_dir / 'iter_1.pth', weights_only=False)['state_dict']


def test_gradients_of_two_processes_equal_one(plain_step, run_tool, tmp_path, port):
    one, two, start = tmp_path / 'one', tmp_path / 'two', tmp_path / 'start'
    options = ('--cfg-options', 'optim_wrapper.optimizer.lr=0')
    for done in (
        run_tool('train.py', plain_step, '--work-dir', start, *options),
        run_tool('train.py', plain_step, '--work-dir', one),
        run_tool(
            *('dist_train.sh', plain_step, 2, '--work-dir', two),
            *('--cfg-options', 'train_dataloader.batch_size=1'),
            PORT=port,
        ),
    ):
        assert done.returncode == 0, done.stdout + done.stderr
    initial, single, double = weights(start), weights(one), weights(two)
    assert initial.keys() == double.keys()
    for key, value in initial.items():
        gradient = value - single[key]
        assert gradient.abs().max() > 0, f'{key} was not trained'
        torch.testing.assert_close(value - double[key], gradient, rtol=1e-4, atol=1e-5)


def test_two_processes_evaluate_like_one(trained, config, run_tool, tmp_path, port):
    """With three images, so that the processes have uneven shares."""
    arguments = (config, trained / 'iter_4.pth')
    done = run_tool('dist_test.sh', *arguments, 2, '--work-dir', tmp_path, PORT=port)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = (trained / 'console.txt').read_text()
    pattern = r'aAcc: ([\d.]+)  mIoU: ([\d.]+)  mAcc: ([\d.]+)'
    assert re.findall(pattern, done.stdout)[-1] == re.findall(pattern, expected)[-1]


def test_two_processes_train_with_normalisation(config, run_tool, tmp_path, port):
    """SyncBN becomes BN, nccl gloo, said once; no parameter is left without a gradient."""
    done = run_tool('dist_train.sh', config, 2, '--work-dir', tmp_path, PORT=port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / 'iter_4.pth').is_file()
    if not torch.cuda.is_available():
        assert done.stdout.count('BN for SyncBN, gloo for nccl') == 1


MODELS_AT_THE_END = """
import gc, sys
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from mmdpt.training import build_runner, end_process_group, load_config

def living():
    return sum(isinstance(o, DistributedDataParallel) for o in gc.get_objects())

gc.disable()
build_runner(load_config(sys.argv[1]), sys.argv[2], 'pytorch').train()
before = living(), dist.is_initialized()
end_process_group()
print('living:', *before, living(), dist.is_initialized())
"""


def test_no_distributed_model_outlives_the_process_group(plain_step, tmp_path, port):
    """One that does can abort the process while the interpreter shuts down."""
    meeting = dict(WORLD_SIZE='1', RANK='0', LOCAL_RANK='0', MASTER_ADDR='127.0.0.1')
    done = subprocess.run(
        [sys.executable, '-c', MODELS_AT_THE_END, str(plain_step), str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, **meeting, 'MASTER_PORT': port},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'living: 1 True 0 False' in done.stdout


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh'])
def test_scripts_without_arguments_say_how_to_use_them(run_tool, script):
    done = run_tool(script)
    assert done.returncode == 2
    assert 'usage:' in done.stderr
