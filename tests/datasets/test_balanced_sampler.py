"""Every data set has its share, on any number of ranks, before and after a resume."""

import itertools
import re
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from tiny_files import write_image, write_map

import mmdpt.datasets.balanced_sampler as module
from mmdpt.config import check_config, load_config
from mmdpt.datasets.balanced_sampler import BalancedSampler
from mmdpt.datasets.depth_list import DepthListDataset
from mmdpt.errors import InputError


class Numbers(BaseDataset):
    """As many samples as asked; a sample is its set and its number in the set."""

    def __init__(self, name, size):
        self.name, self.size = name, size
        super().__init__()

    def load_data_list(self):
        return [dict(name=self.name, number=number) for number in range(self.size)]


def concat(*sizes):
    return ConcatDataset([Numbers(name, size) for name, size in enumerate(sizes)])


def first(sampler, count):
    return list(itertools.islice(sampler, count))


def on_rank(monkeypatch, rank, world_size, dataset, **kwargs):
    monkeypatch.setattr(module, 'get_dist_info', lambda: (rank, world_size))
    return BalancedSampler(dataset, **kwargs)


def parts_of(indices, *sizes):
    """Number of the set of each index."""
    return np.searchsorted(np.cumsum(sizes), indices, side='right')


def test_every_cycle_has_each_set_as_often_as_its_weight_says():
    sampler = BalancedSampler(concat(5, 7, 11), weights=(0.2, 0.5, 0.3), seed=3)
    equal = parts_of(first(BalancedSampler(concat(3, 500, 40), seed=1), 600), 3, 500, 40)
    assert np.bincount(equal).tolist() == [200, 200, 200]
    parts = parts_of(first(sampler, 1000), 5, 7, 11).reshape(100, 10)
    for cycle in parts:
        assert np.bincount(cycle).tolist() == [2, 5, 3]
    assert len({tuple(cycle) for cycle in parts}) > 50


@pytest.mark.parametrize(
    ('weights', 'expected'),
    [
        ((1, 1, 1), [1, 1, 1]),
        ((6, 2, 4), [3, 1, 2]),
        ((0.2, 0.5, 0.3), [2, 5, 3]),
        ((0.1, 0.2, 0.0), [1, 2, 0]),
        ((np.float32(0.5), 1.5, 1), [1, 3, 2]),
        ((1 / 3, 2 / 3, 0), [1, 2, 0]),
        ((0.1234567, 0.8765433, 0), [123, 877, 0]),
        ((1e-9, 1, 1), [1, 500, 500]),
    ],
)
def test_shortest_cycle_of_weights_holds_every_set_that_has_one(weights, expected):
    sampler = BalancedSampler(concat(2, 2, 2), weights=weights, seed=0)
    assert sampler.per_cycle == expected
    seen = set(parts_of(first(sampler, 3000), 2, 2, 2))
    assert seen == {part for part, share in enumerate(expected) if share}


@pytest.mark.parametrize(
    ('sizes', 'count'), [((3, 50, 8), 1200), ((10,), 30)], ids=['three sets', 'one set']
)
def test_no_image_comes_again_before_its_set_is_used_up(sizes, count):
    indices = np.array(first(BalancedSampler(concat(*sizes), seed=4), count))
    for part, size in enumerate(sizes):
        own = indices[parts_of(indices, *sizes) == part]
        walks = [own[start : start + size] for start in range(0, len(own) - size + 1, size)]
        assert len(walks) == count // len(sizes) // size
        for walk in walks:
            assert sorted(walk) == list(range(sum(sizes[:part]), sum(sizes[: part + 1])))
        assert len({tuple(walk) for walk in walks}) > 1


def test_two_ranks_interleave_to_the_sequence_of_one(monkeypatch):
    sizes, seed = (3, 20), 7
    alone = first(on_rank(monkeypatch, 0, 1, concat(*sizes), seed=seed), 300)
    for world_size in (2, 3):
        ranks = [
            first(on_rank(monkeypatch, rank, world_size, concat(*sizes), seed=seed), 60)
            for rank in range(world_size)
        ]
        assert np.stack(ranks, axis=1).ravel().tolist() == alone[: 60 * world_size]
    for rank in (0, 1):  # as many ranks as sets, and yet each sees each set
        indices = first(on_rank(monkeypatch, rank, 2, concat(9, 9), seed=5), 200)
        assert 60 < np.bincount(parts_of(indices, 9, 9))[0] < 140


@pytest.mark.parametrize('seen', [0, 1, 5, 64, 1001])
@pytest.mark.parametrize('rank', [0, 1])
def test_skip_continues_as_an_uninterrupted_run(monkeypatch, rank, seen):
    whole = first(on_rank(monkeypatch, rank, 2, concat(4, 30), seed=2), seen + 50)
    resumed = on_rank(monkeypatch, rank, 2, concat(4, 30), seed=2)
    resumed.skip(seen)
    assert first(resumed, 50) == whole[seen:]
    with pytest.raises(ValueError, match='must not be negative, got -1'):
        resumed.skip(-1)


def test_the_seed_decides_and_iterating_anew_starts_anew_whatever_the_epoch():
    dataset = concat(5, 50)
    sampler, same, other = (BalancedSampler(dataset, seed=seed) for seed in (1, 1, 2))
    before = first(sampler, 100)
    assert first(same, 100) == before != first(other, 100)
    assert isinstance(BalancedSampler(dataset).seed, int) and len(sampler) == 55
    sampler.set_epoch(3)
    assert first(sampler, 100) == before


@pytest.mark.parametrize(
    ('dataset', 'weights', 'message'),
    [
        (Numbers(0, 5), None, 'needs a ConcatDataset, got Numbers'),
        (SimpleNamespace(datasets=([1, 2], [])), None, r'a data set is empty, sizes \[2, 0\]'),
        (concat(5, 5), (1,), '1 weights for 2 data sets'),
        (concat(5, 5), (1, 1, 1), '3 weights for 2 data sets'),
        *(
            (concat(5, 5), weights, 'must be finite, not negative and not all zero, got')
            for weights in ((1, -1), (0, 0), (1, np.nan), (1, np.inf))
        ),
    ],
)
def test_one_thing_wrong(dataset, weights, message):
    with pytest.raises(InputError, match=message):
        BalancedSampler(dataset, weights=weights)


@pytest.fixture
def page(request):
    return (request.config.rootpath / 'docs' / 'datasets-depth.md').read_text()


def test_several_sets_as_the_page_configures_them(page, request, tmp_path, monkeypatch):
    """Three sets of 1, 2 and 3 m, weights 1, 1 and 2: a batch of 8 has 2, 2 and 4 of them."""
    (block,) = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    configs = request.config.rootpath / 'configs' / 'dpt'
    (tmp_path / 'config.py').write_text(block.replace("'./", f"'{configs}/"))
    data = tmp_path / 'data'
    pairs = [(1, 'mix6/hrwsi/a.png', 'mix6/hrwsi/b.png'), (2, 'mix6/irs/a.png', 'mix6/irs/b.png')]
    pairs += [(3, f'nyu/images/train/{k}.jpg', f'nyu/annotations/train/{k}.png') for k in 'bcd']
    for metres, image, depth in pairs:
        write_image(data / image, (260, 200))
        write_map(data / depth, [1000 * metres], (200, 260), np.uint16)
    for name in ('hrwsi', 'irs'):
        (data / f'mix6/{name}/list.csv').write_text('image,depth,scale\na.png,b.png,1000\n')
    monkeypatch.chdir(tmp_path)
    cfg = load_config('config.py')
    check_config(cfg)
    init_default_scope('mmdpt')
    loader = Runner.build_dataloader(
        dict(cfg.train_dataloader, batch_size=8, num_workers=0, persistent_workers=False), seed=0
    )
    batch = next(iter(loader))
    depths = [sample.gt_depth_map.data.unique().tolist() for sample in batch['data_samples']]
    assert sorted(depths) == [[1.0]] * 2 + [[2.0]] * 2 + [[3.0]] * 4


def test_list_file_of_the_page(page, tmp_path):
    (block,) = re.findall(r'```text\n(image,depth.*?)```', page, re.DOTALL)
    (tmp_path / 'list.csv').write_text(block)
    for path in re.findall(r'(?:rooms|street)/\w+\.\w+', block):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    dataset = DepthListDataset(ann_file=str(tmp_path / 'list.csv'))
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert [info['depth_scale'] for info in infos] == [1000, 1000, 1, 1]
    assert [info['invalid_values'] for info in infos] == [(), (65535,), (), (-1, 1000)]
    assert ['depth_mask_path' in info for info in infos] == [False, False, True, True]
