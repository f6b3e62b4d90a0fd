"""A sample is a function of seed and position; a bad one stops with its name, or is replaced."""

import copy
import itertools
import os
import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.structures import BaseDataElement
from torch.utils.data import DataLoader

from mmdpt.datasets.training_samples import MAX_ATTEMPTS, Draw, PositionSampler, TrainingSamples
from mmdpt.errors import InputError


def pipeline(info):
    """Fail as the data set says; else pack random numbers of all three libraries."""
    if info['bad'] is not None:
        raise info['bad']
    numbers = (random.random(), np.random.random(), torch.rand(()).item())
    return dict(inputs=numbers, data_samples=BaseDataElement(metainfo=dict(path=info['img_path'])))


class Files(BaseDataset):
    """As many images as asked, some of which raise an exception."""

    def __init__(self, folder='f', size=10, bad=()):
        self.folder, self.size, self.bad = folder, size, dict(bad)
        super().__init__(pipeline=[pipeline], serialize_data=False)

    def load_data_list(self):
        return [
            dict(img_path=f'{self.folder}/{number}.png', bad=self.bad.get(number))
            for number in range(self.size)
        ]


def read(samples, index, position):
    sample = samples.read(Draw(index, position))
    return sample['inputs'], sample['data_samples'].metainfo


def broken(path):
    return InputError(f'cannot read image {path}: it is empty')


def test_sample_depends_on_seed_and_position_alone():
    samples = TrainingSamples(Files(), seed=3)
    expected, _ = read(samples, 4, 100)
    read(samples, 5, 7)
    for same in (samples, TrainingSamples(Files(), seed=3)):
        assert read(same, 4, 100)[0] == expected
    for other in (read(samples, 4, 101)[0], read(TrainingSamples(Files(), seed=4), 4, 100)[0]):
        assert all(a != b for a, b in zip(other, expected, strict=True))


def read_by(samples, num_workers, start=0):
    loader = DataLoader(
        samples.dataset,
        batch_size=2,
        sampler=PositionSampler(range(10), start),
        num_workers=num_workers,
        collate_fn=list,
    )
    batches = itertools.islice(loader, 10 - start // 2)
    return [(s['inputs'], s['data_samples'].metainfo) for batch in batches for s in batch]


@pytest.mark.parametrize('policy', ['stop', 'skip'])
def test_workers_read_what_the_main_process_reads(policy):
    numbers = (1, 3, 5, 7) if policy == 'skip' else ()
    bad = {number: broken(f'f/{number}.png') for number in numbers}

    def samples_of(num_workers, start=0):
        samples = TrainingSamples(Files(bad=bad), 1, policy, num_workers)
        return read_by(samples, num_workers, start)

    expected = samples_of(0)
    assert len({numbers for numbers, _ in expected}) == 20
    assert samples_of(1) == samples_of(2) == expected
    assert samples_of(2, start=4) == expected[4:]


def test_bad_sample_stops_with_the_loaders_words_and_its_file():
    samples = TrainingSamples(Files(bad={3: broken('f/3.png'), 4: InputError('too small')}), seed=0)
    with pytest.raises(InputError, match=r'^cannot read image f/3\.png: it is empty$'):
        samples.read(Draw(3, 50))
    with pytest.raises(InputError, match=r'^f/4\.png: too small$'):
        samples.read(Draw(4, 50))


def test_other_error_keeps_its_cause_and_gets_the_file_or_number():
    samples = TrainingSamples(Files(bad={3: ZeroDivisionError('by nothing')}), seed=0)
    with pytest.raises(RuntimeError, match=r'^f/3\.png: ZeroDivisionError: by nothing$') as caught:
        samples.read(Draw(3, 50))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert not isinstance(caught.value, InputError)

    class Numbers:
        def __getitem__(self, index):
            raise InputError('broken')

    with pytest.raises(InputError, match=r'^sample 2: broken$'):
        TrainingSamples(Numbers(), seed=0).read(Draw(2, 0))


def skipping(dataset, seed=0, **kwargs):
    return TrainingSamples(dataset, seed, 'skip', **kwargs)


def test_bad_sample_alone_is_replaced_and_noted():
    samples = skipping(Files(bad={3: broken('f/3.png'), 5: ValueError('odd')}))
    assert read(samples, 4, 100) == read(TrainingSamples(Files(), 0), 4, 100)
    replaced = [read(samples, 3, position)[1] for position in range(200)]
    for metainfo in replaced:
        assert metainfo['path'] not in ('f/3.png', 'f/5.png')
        assert metainfo['skipped'][0] == ('f/3.png', 'cannot read image f/3.png: it is empty')
    assert {m['path'] for m in replaced} == {f'f/{k}.png' for k in (0, 1, 2, 4, 6, 7, 8, 9)}
    twice = [m['skipped'] for m in replaced if len(m['skipped']) == 2]
    assert 10 < len(twice) < 80  # a fifth of 200 substitutes is bad again
    assert ('f/5.png', 'f/5.png: ValueError: odd') in {skipped[1] for skipped in twice}


def test_substitute_depends_on_the_seed_and_is_of_the_same_part_of_a_concatenation():
    dataset = Files(size=1000, bad={3: broken('f/3.png')})
    draws = [read(skipping(dataset, seed), 3, 50) for seed in (0, 1)]
    assert draws[0][1]['path'] != draws[1][1]['path']
    assert draws[0][0] != read(TrainingSamples(dataset, 0), 4, 50)[0]
    # so that a mix keeps its shares, and labels do not become depth
    parts = [Files('a', 5), Files('b', 20, {7: broken('b/7.png')}), Files('c', 5)]
    samples = skipping(ConcatDataset(parts))
    paths = {read(samples, 5 + 7, position)[1]['path'] for position in range(300)}
    assert paths == {f'b/{number}.png' for number in range(20) if number != 7}


def test_nothing_but_bad_samples_stops_after_some_and_an_unknown_policy_at_once():
    bad = {number: broken(f'f/{number}.png') for number in range(10)}
    with pytest.raises(InputError, match=rf'^{MAX_ATTEMPTS} bad samples in a row, the last: cann'):
        skipping(Files(bad=bad)).read(Draw(0, 0))
    with pytest.raises(InputError, match=r"one of \['stop', 'skip'\], got 'ignore'"):
        TrainingSamples(Files(), 0, 'ignore')


def test_data_set_stays_itself_and_reads_plain_indices_as_ever():
    dataset = ConcatDataset([Files('a', 2), Files('b', 3)])
    samples = TrainingSamples(dataset, 0)
    loader = DataLoader(dataset, batch_size=2, sampler=[3, 3], collate_fn=list)
    assert loader.dataset is dataset and len(dataset) == 5
    (first, second), *_ = loader
    assert first['data_samples'].path == 'b/1.png' and first['inputs'] != second['inputs']
    for copied in (copy.deepcopy(dataset), pickle.loads(pickle.dumps(Files()))):
        assert len(copied) in (5, 10)
    dataset.datasets[1].pipeline = lambda info: info  # a hook switches it
    assert samples.read(Draw(3, 0))['img_path'] == 'b/1.png'


def test_nothing_is_being_read_between_samples():
    samples = TrainingSamples(Files(bad={3: broken('f/3.png')}), 0)
    assert samples.reading() == {0: None}
    samples.read(Draw(1, 0))
    with pytest.raises(InputError):
        samples.read(Draw(3, 0))
    assert samples.reading() == {os.getpid(): None}
