"""Several processes on a CPU: errors are told, lost ranks named, BatchNorm validated as saved."""

import os
import re
import signal
import subprocess
import sys

import pytest
import torch

from mmdpt.config.machine import TIMEOUT, timeout_of
from mmdpt.errors import InputError
from mmdpt.ranks.launcher import ANOTHER_LOST, free_port

pytestmark = pytest.mark.distributed

START = """
import os, signal, sys, time
from types import SimpleNamespace
import torch
import torch.distributed as dist
from mmdpt.training.process_group import (
    end_process_group, ranks_together, start_process_group_without_cuda, watch_ranks
)

start_process_group_without_cuda('pytorch')
watch_ranks()
rank = dist.get_rank()
"""


@pytest.fixture
def run_ranks():
    """Run a program as several ranks without a launcher; give exit code and output of each."""
    if torch.cuda.is_available():
        pytest.skip('with CUDA MMEngine starts the process group')

    def run(number, program):
        meeting = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port(), WORLD_SIZE=str(number))
        processes = [
            subprocess.Popen(
                [sys.executable, '-c', START + program],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **meeting, 'RANK': str(rank)},
            )
            for rank in range(number)
        ]
        try:
            outputs = [process.communicate(timeout=200) for process in processes]
        finally:
            for process in processes:
                process.kill()
        return [
            (process.returncode, *output)
            for process, output in zip(processes, outputs, strict=True)
        ]

    return run


def test_who_waits_for_a_killed_rank_ends_without_a_traceback(run_ranks):
    zero, one, two = run_ranks(
        3,
        """
with ranks_together():
    dist.all_reduce(torch.ones(1))
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.all_reduce(torch.ones(1))
""",
    )
    assert one[0] == -signal.SIGKILL
    assert zero[0] == two[0] == ANOTHER_LOST
    assert zero[2].splitlines()[-1] == (
        'error: rank 1 of 3 is lost: its process has ended; the others end'
    )
    assert 'Traceback' not in zero[2] + two[2]


def test_an_error_of_one_rank_is_reported_by_that_rank_alone(run_ranks):
    zero, one = run_ranks(
        2,
        """
with ranks_together():
    if rank == 1:
        raise ValueError('what was wrong')
    dist.all_reduce(torch.ones(1))
""",
    )
    assert one[0] == 1 and one[2].endswith('ValueError: what was wrong\n')
    assert zero[0] == ANOTHER_LOST
    assert 'error: rank 1 of 2 is lost: it ended with an error; the others end' in zero[2]
    assert 'Traceback' not in zero[2]


def test_ranks_that_come_to_the_end_may_do_so_one_after_the_other(run_ranks):
    done = run_ranks(
        3,
        """
with ranks_together():
    dist.all_reduce(torch.ones(1))
time.sleep(rank)
print('done', dist.is_initialized())
""",
    )
    assert [(code, out) for code, out, _ in done] == [(0, 'done False\n')] * 3


def test_a_program_of_ones_own_need_not_end_the_process_group(run_ranks):
    """As long as it ends its processes in the way of Python."""
    done = run_ranks(2, 'time.sleep(2 * rank)\nprint("done")')
    assert [(code, out) for code, out, _ in done] == [(0, 'done\n')] * 2


def test_validation_has_the_buffers_that_rank_0_saves(run_ranks):
    done = run_ranks(
        2,
        """
from mmdpt.training.same_buffers_hook import SameBuffersHook
model = torch.nn.parallel.DistributedDataParallel(torch.nn.BatchNorm1d(1, momentum=0.5))
model(torch.tensor([[2.0 * rank], [4.0 * rank]]))
before = model.module.running_mean.item(), model.module.num_batches_tracked.item()
SameBuffersHook().before_val_epoch(SimpleNamespace(model=model))
print(before, model.module.running_mean.item(), model.module.weight.item())
end_process_group()
""",
    )
    # rank 1 saw a mean of 3, of which the momentum takes half
    assert [out for _, out, _ in done] == ['(0.0, 1) 0.0 1.0\n', '(1.5, 1) 0.0 1.0\n']


def test_the_timeout_is_the_config_s_or_nccl_s():
    assert timeout_of({}) == timeout_of(dict(env_cfg=dict(dist_cfg=dict(backend='x')))) == TIMEOUT
    assert timeout_of(dict(env_cfg=dict(dist_cfg=dict(timeout=30)))) == 30


@pytest.mark.parametrize('wrong', [0, -1, '600', None, float('nan')])
def test_a_timeout_that_is_none_is_an_error(wrong):
    with pytest.raises(
        InputError, match=re.escape(f'timeout must be seconds above 0, got {wrong!r}')
    ):
        timeout_of(dict(env_cfg=dict(dist_cfg=dict(timeout=wrong))))
