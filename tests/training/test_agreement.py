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


@pytest.fixture(scope='module')
def known(tmp_path_factory):
    """By rank, what it knew."""
    folder = tmp_path_factory.mktemp('agreement')
    arguments = (f'{folder}/meeting', str(folder))
    mp.start_processes(exchange, arguments, nprocs=2, start_method='fork')
    return [torch.load(folder / f'{rank}.pth') for rank in (0, 1)]


@pytest.mark.distributed
def test_both_ranks_know_of_a_loss_that_is_not_finite_on_one(known):
    for rank in (0, 1):
        assert [row[0] for row in known[rank][:-1]] == [False, True, False, True, False]


@pytest.mark.distributed
def test_each_rank_knows_whether_the_loss_is_its_own(known):
    assert [row[1] for row in known[0][:-1]] == [False] * 5
    assert [row[1] for row in known[1][:-1]] == [False, True, False, True, False]


@pytest.mark.distributed
def test_both_ranks_know_the_signal_of_one(known):
    for rank in (0, 1):
        assert [row[2] for row in known[rank][:-1]] == [0, 0, 0, 15, 10]


@pytest.mark.distributed
def test_outside_a_step_they_agree_too(known):
    assert known[0][-1] == known[1][-1] == (15, 4)


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
