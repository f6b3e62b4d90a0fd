"""Several processes on a CPU: how they meet, agree, validate and end."""

import re

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mmdpt.config.machine import TIMEOUT, timeout_of
from mmdpt.errors import InputError
from mmdpt.training.agreement import Agreement

NAN = float('nan')
PROGRAM = """
import gc
from types import SimpleNamespace
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from mmdpt.training.process_group import end_process_group, start_process_group_without_cuda
from mmdpt.training.same_buffers_hook import SameBuffersHook

def living():
    return sum(isinstance(o, DistributedDataParallel) for o in gc.get_objects())

gc.disable()
start_process_group_without_cuda('pytorch')
rank = dist.get_rank()
model = DistributedDataParallel(torch.nn.BatchNorm1d(1, momentum=0.5))
model.itself = [model]
model(torch.tensor([[2.0 * rank], [4.0 * rank]])).sum().backward()
norm = model.module
before = norm.running_mean.item(), norm.num_batches_tracked.item()
SameBuffersHook().before_val_epoch(SimpleNamespace(model=model))
print(before, norm.running_mean.item(), norm.weight.item())
del model
before = living(), dist.is_initialized()
end_process_group()
print(*before, living(), dist.is_initialized())
"""


@pytest.mark.distributed
@pytest.mark.skipif(torch.cuda.is_available(), reason='MMEngine starts the process group')
def test_validation_has_the_buffers_that_rank_0_saves_and_no_model_outlives_the_group(
    run_ranks, tmp_path
):
    """One that does can abort the process while the interpreter shuts down."""
    (tmp_path / 'program.py').write_text(PROGRAM)
    done = run_ranks(2, tmp_path / 'program.py')
    assert [rank.returncode for rank in done] == [0, 0], done
    # rank 1 saw a mean of 3, of which the momentum takes half
    buffers = ['(0.0, 1) 0.0 1.0\n', '(1.5, 1) 0.0 1.0\n']
    assert [rank.stdout for rank in done] == [f'{line}1 True 0 False\n' for line in buffers]


@pytest.mark.parametrize('wrong', [0, -1, '600', None, NAN])
def test_the_timeout_is_the_config_s_or_nccl_s_and_a_wrong_one_an_error(wrong):
    assert timeout_of({}) == timeout_of(dict(env_cfg=dict(dist_cfg=dict(backend='x')))) == TIMEOUT
    assert timeout_of(dict(env_cfg=dict(dist_cfg=dict(timeout=30)))) == 30
    message = re.escape(f'timeout must be seconds above 0, got {wrong!r}')
    with pytest.raises(InputError, match=message):
        timeout_of(dict(env_cfg=dict(dist_cfg=dict(timeout=wrong))))


ROUNDS = ((1.0, 0), (NAN, 0), (2.0, 0), (float('inf'), 15), (3.0, 10))
"""Loss and signal of rank 1, one round each; rank 0's loss is 1 and it gets none."""


def exchange(rank, meeting, folder):
    """Go through the rounds; keep what this rank knows after each, and what it asked outside."""
    dist.init_process_group('gloo', init_method=f'file://{meeting}', rank=rank, world_size=2)
    agreement, known = Agreement(), []
    for loss, signal in ROUNDS:
        agreement.stop_here = signal * rank
        value = torch.tensor(loss if rank else 1.0, requires_grad=True) * 1
        agreement.begin(value)
        agreement.end()
        known.append((agreement.nonfinite, agreement.nonfinite_here, agreement.stop))
    agreement.stop_here = 15 * rank
    known.append((agreement.stop_now(), agreement.least(5 - rank)))
    torch.save(known, f'{folder}/{rank}.pth')
    dist.destroy_process_group()


@pytest.mark.distributed
def test_both_ranks_know_the_loss_and_the_signal_of_one(tmp_path):
    arguments = (f'{tmp_path}/meeting', str(tmp_path))
    mp.start_processes(exchange, arguments, nprocs=2, start_method='fork')
    known = [torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1)]
    for rank in (0, 1):
        nonfinite, own, stop = zip(*known[rank][:-1], strict=True)
        assert nonfinite == (False, True, False, True, False)
        assert own == (nonfinite if rank else (False,) * 5)
        assert stop == (0, 0, 0, 15, 10)
        assert known[rank][-1] == (15, 4)  # outside a step


@pytest.mark.parametrize('loss', [1.0, NAN, float('-inf'), 3e38])
def test_one_process_asks_itself(loss):
    agreement = Agreement()
    agreement.stop_here = 10
    agreement.begin(torch.tensor(loss, requires_grad=True))
    agreement.end()
    finite = loss in (1.0, 3e38)
    assert (agreement.nonfinite, agreement.nonfinite_here) == (not finite, not finite)
    assert agreement.stop == agreement.stop_now() == 10
    assert agreement.least(7) == 7
