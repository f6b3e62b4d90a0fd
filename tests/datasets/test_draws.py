"""A training's draws are numbered and seeded by number, and go on as if they had never stopped."""

import itertools
import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import BatchSampler, SequentialSampler

import mmdpt.datasets.training_samples as module
from mmdpt.datasets.balanced_sampler import BalancedSampler
from mmdpt.datasets.training_samples import (
    Draw,
    LaterBatches,
    PositionSampler,
    derived_number,
    seed_iteration,
    seed_sample,
)
from mmdpt.errors import InputError


class Parts:
    """A concatenation of two data sets, of 3 and 8 samples."""

    datasets = (range(3), range(8))

    def __len__(self):
        return 11


def shuffled_epochs():
    return DefaultSampler(Parts(), shuffle=True, seed=4)


SAMPLERS = [
    shuffled_epochs,
    lambda: InfiniteSampler(Parts(), seed=4),
    lambda: BalancedSampler(Parts(), seed=4),
    lambda: SequentialSampler(Parts()),  # without skip and set_epoch
]


def first(sampler, count):
    return [(int(draw), draw.position) for draw in itertools.islice(sampler, count)]


def on_rank(monkeypatch, rank, world_size, sampler, start=0):
    monkeypatch.setattr(module, 'get_dist_info', lambda: (rank, world_size))
    return PositionSampler(sampler, start)


def test_draw_is_its_index_and_travels_to_a_worker_with_its_position():
    draw = Draw(7, 40)
    assert draw == 7 and [*'abcdefgh'][draw] == 'h' and isinstance(draw, int)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        sent = pickle.loads(pickle.dumps(draw, protocol))
        assert (sent, sent.position, type(sent)) == (7, 40, Draw)


@pytest.mark.parametrize('make', SAMPLERS)
@pytest.mark.parametrize('start', [1, 10, 11, 12, 37])
def test_draws_are_the_samplers_and_a_later_start_goes_on_as_an_uninterrupted_run(
    make, start, monkeypatch
):
    for rank in (0, 2):  # of three, whose positions interleave
        whole = first(on_rank(monkeypatch, rank, 3, make()), start + 30)
        places = range(rank, 33, 3)
        assert whole[:11] == list(zip(itertools.islice(make(), 11), places, strict=True))
        assert first(on_rank(monkeypatch, rank, 3, make(), start), 30) == whole[start:]


def test_sampler_that_ends_is_shuffled_anew_whatever_epoch_is_set_from_outside():
    draws = first(PositionSampler(shuffled_epochs()), 22)
    epochs = [[index for index, _ in draws[:11]], [index for index, _ in draws[11:]]]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(11))
    assert epochs[0] != epochs[1]
    sampler = PositionSampler(shuffled_epochs(), 5)
    expected = first(sampler, 20)
    sampler.set_epoch(3)
    assert len(sampler) == 11 and first(sampler, 20) == expected
    # without samples it is no endless loop
    with pytest.raises(InputError, match='SequentialSampler draws no sample to train on'):
        next(iter(PositionSampler(SequentialSampler(()))))


def test_batches_of_another_batch_sampler_start_later():
    def batches(start):
        sampler = BatchSampler(PositionSampler(InfiniteSampler(Parts(), seed=4)), 4, drop_last=True)
        return list(itertools.islice(LaterBatches(sampler, start), 6 - start))

    assert batches(2) == batches(0)[2:]
    assert batches(2)[0][0].position == 8
    assert len(LaterBatches(BatchSampler(range(4), 2, drop_last=True))) == 2


def numbers():
    return random.random(), np.random.random(), torch.rand(()).item()


def test_numbers_of_places_are_the_same_in_every_release_all_different_and_fill_64_bits():
    """Recorded: a training resumed by another process must find the numbers of the first."""
    assert derived_number(0, 'sample', 0, 0) == 9400433873879944418
    assert derived_number(2**31 - 1, 'iteration', 3, 10**9) == 16345110449475078521
    places = [(seed, position, k) for seed in (0, 1) for position in range(500) for k in (0, 1)]
    derived = [
        derived_number(seed, stream, *rest)
        for seed, *rest in places
        for stream in ('sample', 'substitute', 'iteration')
    ]
    assert len(set(derived)) == len(derived) == 6000
    ones = [sum(number >> bit & 1 for number in derived) for bit in range(64)]
    assert min(ones) > 2700 and max(ones) < 3300  # 3000 +- 7.7 standard deviations of 39
    assert np.bincount([number % 10 for number in derived]).min() > 450


@pytest.mark.parametrize('seed', [seed_sample, seed_iteration])
def test_all_three_libraries_draw_by_stream_seed_position_and_attempt_alone(seed):
    seed(5, 6, 7)
    expected = numbers()
    for other in (seed_iteration, seed_sample, seed):
        other(5, 6, 7)
        assert (numbers() == expected) == (other is seed)
    for place in ((6, 6, 7), (5, 7, 7), (5, 6, 8)):
        seed(*place)
        assert all(a != b for a, b in zip(numbers(), expected, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_iteration_seeds_cuda():
    torch.zeros(1, device='cuda')
    seed_iteration(5, 6, 7)
    expected = torch.rand(3, device='cuda')
    torch.rand(9, device='cuda')
    seed_iteration(5, 6, 7)
    assert torch.equal(torch.rand(3, device='cuda'), expected)
