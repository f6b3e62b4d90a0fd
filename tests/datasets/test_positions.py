"""A training's draws are numbered, and go on anywhere as if they had never stopped."""

import itertools
import pickle

import pytest
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

import mmdpt.datasets.draws as module
from mmdpt.datasets.draws import Draw, LaterBatches, PositionSampler
from mmdpt.datasets.samplers import BalancedSampler
from mmdpt.errors import InputError


class Parts:
    """A concatenation of two data sets, of 3 and 8 samples."""

    datasets = (range(3), range(8))

    def __len__(self):
        return 11


class Plain:
    """A sampler without skip and set_epoch."""

    def __init__(self, *indices):
        self.indices = indices

    def __iter__(self):
        return iter(self.indices)

    def __len__(self):
        return len(self.indices)


def shuffled_epochs():
    return DefaultSampler(Parts(), shuffle=True, seed=4)


def endless():
    return InfiniteSampler(Parts(), seed=4)


def balanced():
    return BalancedSampler(Parts(), seed=4)


def sequential():
    return SequentialSampler(Parts())


SAMPLERS = [shuffled_epochs, endless, balanced, sequential]


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
def test_draws_are_those_of_the_sampler_in_its_order(make):
    expected = list(itertools.islice(make(), 11))
    assert first(PositionSampler(make()), 11) == list(zip(expected, range(11), strict=True))


def test_positions_of_the_ranks_interleave(monkeypatch):
    draws = [first(on_rank(monkeypatch, rank, 3, Plain(5, 6)), 4) for rank in range(3)]
    assert draws[0] == [(5, 0), (6, 3), (5, 6), (6, 9)]
    assert draws[2] == [(5, 2), (6, 5), (5, 8), (6, 11)]


@pytest.mark.parametrize('make', SAMPLERS)
@pytest.mark.parametrize('start', [1, 10, 11, 12, 37])
def test_a_later_start_goes_on_as_an_uninterrupted_run(make, start, monkeypatch):
    whole = first(on_rank(monkeypatch, 1, 2, make()), start + 30)
    assert first(on_rank(monkeypatch, 1, 2, make(), start), 30) == whole[start:]


def test_sampler_that_ends_is_shuffled_anew():
    draws = first(PositionSampler(shuffled_epochs()), 22)
    epochs = [[index for index, _ in draws[:11]], [index for index, _ in draws[11:]]]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(11))
    assert epochs[0] != epochs[1]


def test_two_walks_over_the_same_sampler_are_equal():
    sampler = PositionSampler(balanced(), 5)
    assert first(sampler, 20) == first(sampler, 20)


def test_length_is_that_of_an_epoch_and_an_epoch_from_outside_changes_nothing():
    sampler = PositionSampler(shuffled_epochs())
    expected = first(sampler, 5)
    sampler.set_epoch(3)
    assert len(sampler) == 11 and first(sampler, 5) == expected


def test_sampler_without_samples_is_no_endless_loop():
    with pytest.raises(InputError, match='Plain draws no sample to train on'):
        next(iter(PositionSampler(Plain())))


@pytest.mark.parametrize('num_workers', [0, 2])
def test_loader_hands_draws_to_the_data_set(num_workers):
    class Positions:
        def __getitem__(self, draw):
            return int(draw), draw.position

    loader = DataLoader(
        Positions(),
        batch_size=3,
        sampler=PositionSampler(Plain(4, 9), 2),
        num_workers=num_workers,
        collate_fn=list,
    )
    assert list(itertools.islice(loader, 2)) == [[(4, 2), (9, 3), (4, 4)], [(9, 5), (4, 6), (9, 7)]]


def test_batches_of_another_batch_sampler_start_later():
    def batches(start):
        sampler = BatchSampler(PositionSampler(endless()), 4, drop_last=True)
        return list(itertools.islice(LaterBatches(sampler, start), 6 - start))

    assert batches(2) == batches(0)[2:]
    assert batches(2)[0][0].position == 8
    assert len(LaterBatches(BatchSampler(Plain(1, 2, 3, 4), 2, drop_last=True))) == 2
