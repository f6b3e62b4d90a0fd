"""A rank that is killed or fails is named, the others end, and any number of processes goes on."""

import os
import random
import re
import shutil
import signal
import time

import pytest
import tiny
import torch
from launched import PLAIN, Launched, root_cause

ITERATIONS, INTERVAL, BATCH = 12, 4, 4
BOUND = 60.0
"""Longest time from the kill to the end of the command [s]: torchrun's 30 s, and a busy machine."""

pytestmark = [pytest.mark.distributed, pytest.mark.nightly, pytest.mark.timeout(2400)]


@pytest.fixture(scope='module')
def config(scenes, tmp_path_factory):
    more = PLAIN.format(iterations=ITERATIONS, interval=INTERVAL)
    return tiny.write_config(tmp_path_factory.mktemp('configs'), 'segmentation', scenes, more)


def share(processes):
    return '--cfg-options', f'train_dataloader.batch_size={BATCH // processes}'


@pytest.fixture(scope='module')
def train(config, run_ranks):
    """Train as a number of processes to the end; give the last weights and what rank 0 said."""

    def run(processes, work_dir, *arguments):
        launcher = ('--launcher', 'pytorch', '--work-dir', work_dir, *arguments)
        done = run_ranks(processes, 'train.py', config, *launcher, *share(processes))
        assert not any(rank.returncode for rank in done), done
        last = torch.load(work_dir / f'iter_{ITERATIONS}.pth', weights_only=True)
        return last['state_dict'], done[0].stdout

    return run


def kill(config, processes, rank, iteration, work_dir):
    """Kill a rank once an iteration is done; tell how long the command then took."""
    arguments = (config, processes, '--work-dir', work_dir, *share(processes))
    run = Launched(arguments, work_dir.with_suffix('.txt'))
    run.wait_for_iteration(iteration)
    victim, began = run.pid_of(rank), time.monotonic()
    os.kill(victim, signal.SIGKILL)
    code, seconds = run.end(), time.monotonic() - began
    assert code == 1, run.said()
    cause = root_cause(run.said())
    assert re.search(rf'rank +: {rank} \(local_rank: {rank}\)', cause), run.said()
    assert f'Signal 9 (SIGKILL) received by PID {victim}' in cause
    assert seconds < BOUND
    return seconds


@pytest.mark.parametrize('processes', [2, 4])
def test_any_rank_may_be_lost_and_any_number_goes_on(config, train, processes, tmp_path, record):
    chance = random.Random(processes)
    expected, _ = train(processes, tmp_path / 'uninterrupted')
    longest = 0.0
    for rank in range(processes):
        stopped = tmp_path / f'killed-{rank}'
        iteration = chance.randrange(INTERVAL + 1, ITERATIONS - 2)
        longest = max(longest, kill(config, processes, rank, iteration, stopped))
    numbers = (1, 2, 4)
    for number in numbers:
        work_dir = tmp_path / f'on-{number}'
        shutil.copytree(stopped, work_dir)
        pointer = work_dir / 'last_checkpoint'
        pointer.write_text(pointer.read_text().replace(str(stopped), str(work_dir)))
        found, said = train(number, work_dir, '--resume')
        assert re.search(r'resumed .*iter: [48]', said)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            if number == processes == 2:
                assert torch.equal(found[name], value), name
            else:  # gradients are added in another order: DDP orders its buckets after one step
                torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    record(
        f'one of {processes} processes killed',
        f'{processes} ranks, then --resume with {", ".join(map(str, numbers))} processes',
        f'named by torchrun, the others ended within {longest:.1f} s; the same weights',
    )


def test_a_rank_that_fails_is_named_with_its_error(config, tmp_path):
    """While the other one waits for it."""
    (tmp_path / 'fail_on_one.py').write_text("""
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmdpt.errors import InputError
from mmdpt.registry import HOOKS

@HOOKS.register_module()
class FailOnOne(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if get_rank() == 1 and batch_idx == 2:
            raise InputError('what was wrong')
""")
    path = tmp_path / 'failing.py'
    path.write_text(f"""
_base_ = ['{config}']
custom_imports = dict(imports=['mmdpt.registry', 'fail_on_one'])
custom_hooks = [dict(type='FailOnOne')]
""")
    arguments = (path, 2, '--work-dir', tmp_path / 'work')
    run = Launched(arguments, tmp_path / 'out.txt', PYTHONPATH=f'{tmp_path}:{tiny.REPO}')
    assert run.end() == 1
    assert 'error: what was wrong\n' in run.said()
    cause = root_cause(run.said())
    assert re.search(r'rank +: 1 \(local_rank: 1\)', cause), run.said()
    assert 'InputError: what was wrong' in cause
