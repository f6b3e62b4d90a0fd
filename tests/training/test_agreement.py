"""What one of two ranks notices, both know."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mmdpt.training.agreement import Agreement

NAN = float('nan')
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
