"""A resumed training is the uninterrupted one, with any workers; trouble with data has a name."""

import os
import random
import signal
import time
from functools import partial
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import nn

from mmdpt.errors import InputError
from mmdpt.registry import DATASETS, MODELS
from mmdpt.training import Runner
from mmdpt.training.bad_sample_hook import BadSampleHook
from mmdpt.training.train_loop import DRAWS

BATCH, SAMPLER = 2, dict(type='InfiniteSampler', shuffle=True)
SEEN = []
"""Of each iteration: paths, augmented inputs, numbers that the model drew."""


def draw():
    return [random.random(), np.random.random(), torch.rand(()).item()]


def augment(info):
    if info['bad']:
        raise InputError(f'cannot read image {info["img_path"]}: it is empty')
    numbers = draw()
    sample = BaseDataElement(metainfo=dict(img_path=info['img_path']))
    return dict(inputs=torch.tensor(numbers), data_samples=sample)


@DATASETS.register_module(force=True)
class NoisyFiles(BaseDataset):
    """Seven images, of which one may be bad and one deadly."""

    def __init__(self, bad=(), deadly=None):
        self.bad, self.deadly = bad, deadly
        super().__init__(pipeline=[augment])

    def load_data_list(self):
        return [dict(img_path=f'f/{number}.png', bad=number in self.bad) for number in range(7)]

    def prepare_data(self, index):
        if index == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().prepare_data(index)


@MODELS.register_module(force=True)
class NoisyModel(BaseModel):
    """Draws of all three libraries decide the loss."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))

    def forward(self, inputs, data_samples, mode):
        noise = draw()
        SEEN.append(([s.img_path for s in data_samples], torch.stack(inputs).tolist(), noise))
        return dict(loss=(self.layer(torch.stack(inputs)) - sum(noise)).square().mean())


def train(
    work_dir, resume=False, seed=0, loader=(), dataset=(), train_cfg=(), randomness=(), epochs=None
):
    """Train six iterations, saving one checkpoint an iteration; give the runner."""
    SEEN.clear()
    cfg = dict(
        default_scope='mmdpt',
        work_dir=str(work_dir),
        model=dict(type='NoisyModel'),
        train_dataloader=dict(
            dataset=dict(type='NoisyFiles', **dict(dataset)),
            **dict(batch_size=BATCH, num_workers=0, sampler=SAMPLER) | dict(loader),
        ),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        train_cfg=epochs or dict(type='IterBasedTrainLoop', max_iters=6, **dict(train_cfg)),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=100),
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1),
        ),
        log_processor=dict(by_epoch=False),
        log_level='ERROR',
        randomness=dict(seed=seed, **dict(randomness)),
        resume=resume,
    )
    runner = Runner.from_cfg(Config(cfg))
    runner.train()
    if not epochs:  # workers that a garbage collection ends take 5 s each
        runner.train_loop.dataloader_iterator.close()
        runner.train_dataloader._iterator = None
    return runner


def resume(whole, folder, iteration, **kwargs):
    """Go on from an earlier checkpoint of a training in a folder of its own."""
    folder.mkdir()
    name = f'iter_{iteration}.pth'
    (folder / name).write_bytes((whole / name).read_bytes())
    (folder / 'last_checkpoint').write_text(str(folder / name))
    return train(folder, resume=True, **kwargs)


def weights(runner):
    return {key: value.clone() for key, value in runner.model.state_dict().items()}


assert_equal = partial(torch.testing.assert_close, rtol=0, atol=0)


@pytest.mark.parametrize('sampler', ['InfiniteSampler', 'DefaultSampler'])
def test_epochs_need_a_sampler_with_an_end(tmp_path, sampler):
    settings = dict(
        loader=dict(sampler=dict(type=sampler, shuffle=True)),
        epochs=dict(type='EpochBasedTrainLoop', max_epochs=3),
    )
    if sampler == 'InfiniteSampler':
        needed = -(-3 * len(NoisyFiles()) // BATCH)
        with pytest.raises(InputError, match=rf'never ends one: write .*max_iters={needed}\)'):
            train(tmp_path, **settings)
    else:
        assert train(tmp_path, **settings).epoch == 3


class Pairs:
    """Batches of two draws that are not neighbours."""

    def __init__(self, sampler, batch_size):
        self.sampler, self.batch_size = sampler, batch_size

    def __iter__(self):
        draws = iter(self.sampler)
        for four in zip(draws, draws, draws, draws, strict=False):
            yield four[::2]
            yield four[1::2]

    def __len__(self):
        return len(self.sampler) // 2


@pytest.mark.parametrize(
    'kwargs',
    [
        dict(),
        dict(loader=dict(sampler=dict(type='DefaultSampler', shuffle=True))),
        dict(loader=dict(batch_sampler=dict(type=Pairs))),
        dict(seed=None),  # another process begins with another seed
        dict(randomness=dict(diff_rank_seed=True)),
    ],
)
@pytest.mark.parametrize('iteration', [1, 4])
def test_resumed_training_is_the_uninterrupted_one(tmp_path, kwargs, iteration):
    expected = weights(train(tmp_path / 'whole', **kwargs))
    seen = list(SEEN)
    assert len(seen) == 6 and len({tuple(noise) for *_, noise in seen}) == 6
    resumed = resume(tmp_path / 'whole', tmp_path / 'resumed', iteration, **kwargs)
    assert seen[iteration:] == SEEN
    assert_equal(expected, weights(resumed))


def test_number_of_workers_changes_nothing(tmp_path):
    expected = weights(train(tmp_path / '0'))
    seen = list(SEEN)
    workers = dict(num_workers=2, persistent_workers=True)
    assert_equal(expected, weights(train(tmp_path / '2', loader=workers)))
    assert seen == SEEN
    one = resume(tmp_path / '2', tmp_path / '1', 3, loader=dict(num_workers=1))
    assert_equal(expected, weights(one))
    assert seen[3:] == SEEN


def test_seed_of_the_sampler_in_the_config_stays(tmp_path):
    sampler = dict(type='InfiniteSampler', shuffle=True, seed=77)
    paths = []
    for seed in (0, 1):
        train(tmp_path / str(seed), seed=seed, loader=dict(sampler=sampler))
        paths.append([path for path, *_ in SEEN])
    assert paths[0] == paths[1]


def test_another_batch_size_goes_on_with_the_next_sample_and_reads_none_twice(
    tmp_path, monkeypatch
):
    train(tmp_path / 'whole')
    order = [path for paths, *_ in SEEN for path in paths]
    read, prepare = [], NoisyFiles.prepare_data
    monkeypatch.setattr(
        NoisyFiles, 'prepare_data', lambda self, i: (read.append(i), prepare(self, i))[1]
    )
    resumed = resume(tmp_path / 'whole', tmp_path / 'resumed', 3, loader=dict(batch_size=1))
    assert [paths for paths, *_ in SEEN] == [[path] for path in order[6:9]]
    assert len(read) == 3
    assert resumed.message_hub.get_info(DRAWS) == 9


def test_iterators_of_loaders_draw_nothing_and_seeds_of_samplers_are_those_of_all_ranks(
    monkeypatch,
):
    sampler = dict(type='DefaultSampler', shuffle=True)
    cfg = dict(batch_size=1, dataset=dict(type='NoisyFiles'), sampler=sampler)
    loader = Runner.build_dataloader(cfg, seed=3)
    before = torch.random.get_rng_state()
    iter(loader)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert Runner.build_dataloader(loader, seed=3) is loader
    monkeypatch.setattr('mmdpt.training.runner.get_rank', lambda: 2)
    assert Runner.build_dataloader(cfg, seed=7 + 2, diff_rank_seed=True).sampler.seed == 7


def test_bad_samples_are_skipped_alike_with_any_workers_and_resumed(tmp_path):
    kwargs = dict(dataset=dict(bad=(2, 4)), train_cfg=dict(on_bad_sample='skip'))
    whole = train(tmp_path / 'whole', **kwargs)
    seen, listed = list(SEEN), (tmp_path / 'whole' / 'bad_samples.txt').read_text()
    assert not {'f/2.png', 'f/4.png'} & {path for paths, *_ in seen for path in paths}
    assert [line.split(' x ')[1] for line in listed.splitlines()] == [
        f'cannot read image f/{number}.png: it is empty' for number in (2, 4)
    ]
    assert sum(isinstance(hook, BadSampleHook) for hook in whole.hooks) == 1
    workers = dict(loader=dict(num_workers=2))
    resumed = resume(tmp_path / 'whole', tmp_path / 'resumed', 3, **workers, **kwargs)
    assert seen[3:] == SEEN
    assert_equal(weights(whole), weights(resumed))
    assert (tmp_path / 'resumed' / 'bad_samples.txt').read_text() == listed


def test_killed_worker_says_what_it_was_reading(tmp_path):
    message = r'DataLoader worker \(pid.*\. Reading at that time: f/4\.png$'
    with pytest.raises(RuntimeError, match=message):
        train(tmp_path, dataset=dict(deadly=4), loader=dict(num_workers=1))


def test_worker_that_takes_too_long_says_what_it_is_reading(tmp_path, monkeypatch):
    prepare = NoisyFiles.prepare_data

    def slow(self, index):
        time.sleep(600 if index == 4 else 0)
        return prepare(self, index)

    monkeypatch.setattr(NoisyFiles, 'prepare_data', slow)
    with pytest.raises(RuntimeError, match=r'timed out.* Reading at that time: f/4\.png$'):
        train(tmp_path, loader=dict(num_workers=1, timeout=3))


@pytest.mark.parametrize(
    'text', ['CUDA error: out of memory', 'DataLoader worker (pid 1) is killed by signal: Killed. ']
)
def test_other_errors_stay_as_they_are(tmp_path, monkeypatch, text):
    """Of another kind, or of a worker that reads no training samples (process 1 is init)."""
    monkeypatch.setattr(NoisyModel, 'forward', Mock(side_effect=RuntimeError(text)))
    with pytest.raises(RuntimeError) as caught:
        train(tmp_path)
    assert str(caught.value) == text
