"""Number the draws of a training, seed each by its number, and read its sample.

So a sample is a function of its draw, whichever process reads it and wherever a run resumes.
"""

import hashlib
import os
import random
from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler, get_worker_info

from mmdpt.errors import InputError, check_choice

SAMPLE, SUBSTITUTE, ITERATION = 'sample', 'substitute', 'iteration'
"""Streams of random numbers: a sample's pipeline, the substitute of a bad sample, an iteration."""
ON_BAD_SAMPLE = ('stop', 'skip')
MAX_ATTEMPTS = 20
"""Bad samples in a row after which a training stops in any case."""

IDLE = -1


def derived_number(seed: int, stream: str, *place: int) -> int:
    """Derive a 64-bit number from a seed, a stream and a place in it."""
    # twenty times as fast as NumPy's SeedSequence
    digest = hashlib.blake2b(repr((seed, stream, *place)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little')


def seed_sample(seed: int, position: int, attempt: int) -> None:
    """Seed Python, NumPy and torch's CPU for one sample of the training.

    The position is the draw's number among those of all ranks; the attempt counts the bad samples
    before at this position.
    """
    _seed(derived_number(seed, SAMPLE, position, attempt))


def seed_iteration(seed: int, rank: int, iteration: int) -> None:
    """Seed Python, NumPy and torch, CPU and CUDA, for one iteration of one process."""
    number = derived_number(seed, ITERATION, rank, iteration)
    _seed(number)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(number)


def _seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number & 0xFFFFFFFF)
    # torch.manual_seed records a stack for every kind of device, which takes 100 times as long
    torch.default_generator.manual_seed(number)


class Draw(int):
    """Index of a sample with its ``position``, the number of the draw among those of all ranks."""

    position: int

    def __new__(cls, index: int, position: int) -> 'Draw':
        draw = super().__new__(cls, index)
        draw.position = position
        return draw

    def __getnewargs__(self) -> tuple[int, int]:  # type: ignore[override]
        """Pickle the position too: indices are sent to the data loader's workers."""
        return int(self), self.position


class PositionSampler(Sampler):
    """Endless draws of another sampler, each with its position.

    Draw k of rank r of W has the position r + k * W. After the end of the other sampler its next
    epoch begins, so that a batch may hold samples of two epochs. The first ``start`` draws of this
    rank are skipped; nothing is loaded for them.
    """

    def __init__(self, sampler: Any, start: int = 0) -> None:
        self.sampler = sampler
        self.start = start
        self.rank, self.world_size = get_dist_info()

    def __iter__(self) -> Iterator[Draw]:
        """Yield the draws from ``start`` on.

        Raises:
            InputError: If the other sampler is empty.
        """
        if hasattr(self.sampler, 'skip'):
            self.sampler.skip(self.start)
            indices: Iterable[int] = self._epochs()
        else:
            indices = islice(self._epochs(), self.start, None)
        for number, index in zip(count(self.start), indices, strict=False):
            yield Draw(index, self.rank + number * self.world_size)

    def _epochs(self) -> Iterator[int]:
        for epoch in count():
            if hasattr(self.sampler, 'set_epoch'):
                self.sampler.set_epoch(epoch)
            empty = True
            for index in self.sampler:
                empty = False
                yield index
            if empty:
                raise InputError(f'{type(self.sampler).__name__} draws no sample to train on')

    def __len__(self) -> int:
        """Give the draws in an epoch of the other sampler."""
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: the position determines the epoch."""


class LaterBatches(Sampler):
    """The batches of a config's own batch sampler, which may differ in size, from ``start`` on.

    Nothing is loaded for those before.
    """

    def __init__(self, batch_sampler: Any, start: int = 0) -> None:
        self.batch_sampler = batch_sampler
        self.sampler = batch_sampler.sampler  # MMEngine's DistSamplerSeedHook looks for it
        self.start = start

    def __iter__(self) -> Iterator[list[int]]:
        """Yield lists of draws."""
        return islice(iter(self.batch_sampler), self.start, None)

    def __len__(self) -> int:
        """Give the batches in an epoch of the other sampler."""
        return len(self.batch_sampler)


class TrainingSamples:
    """Reads the samples of draws, which depend on seed and draw alone, whichever process reads.

    Before the pipeline runs, Python's, NumPy's and torch's random numbers are seeded from (seed,
    position of the draw). A sample is bad if its pipeline raises an exception. With 'stop' the
    exception ends the training and names the file. With 'skip' another sample of the same part of a
    ``ConcatDataset``, chosen by (seed, position, attempt), takes its place. Its meta information
    ``skipped`` lists file and reason of each bad sample. All ranks have the same seed.

    Torch's data loader calls ``dataset.__getitems__`` with a batch of draws, where there is one.
    So the data loader and its data set stay what they are.

    Raises:
        InputError: If ``on_bad_sample`` is neither 'stop' nor 'skip'.
    """

    def __init__(
        self, dataset: Any, seed: int, on_bad_sample: str = 'stop', num_workers: int = 0
    ) -> None:
        self.dataset = dataset
        self.seed = seed
        self.on_bad_sample = check_choice('on_bad_sample', on_bad_sample, ON_BAD_SAMPLE)
        # process id and index of what each worker is reading, shared with the main process
        self._reading = torch.tensor([[0, IDLE]] * max(1, num_workers)).share_memory_()
        dataset.__getitems__ = self.read_batch

    def read_batch(self, draws: Iterable[int]) -> list[Any]:
        """Read a batch. An index that is no ``Draw`` gives ``dataset[index]``."""
        return [self.read(draw) if isinstance(draw, Draw) else self.dataset[draw] for draw in draws]

    def read(self, draw: Draw) -> Any:
        """Read the sample of a draw.

        Raises:
            InputError: If the file is bad and ``on_bad_sample`` is 'stop', or all substitutes are
                bad too; names the (last) file and what is wrong with it.
            RuntimeError: If a step of the pipeline raises another exception; names the file.
        """
        index, position = int(draw), draw.position
        if self.on_bad_sample == 'stop':
            try:
                return self._read(index, position, 0)
            except Exception as error:
                reason = self._reason(index, error)
                if reason == str(error):
                    raise
                kind = InputError if isinstance(error, InputError) else RuntimeError
                raise kind(reason) from (None if kind is InputError else error)
        skipped: list[tuple[str, str]] = []
        while len(skipped) < MAX_ATTEMPTS:
            try:
                sample = self._read(index, position, len(skipped))
            except Exception as error:
                skipped.append((self.name(index), self._reason(index, error)))
                index = self._substitute(index, position, len(skipped))
                continue
            if skipped:
                sample['data_samples'].set_metainfo(dict(skipped=skipped))
            return sample
        raise InputError(f'{MAX_ATTEMPTS} bad samples in a row, the last: {skipped[-1][1]}')

    def name(self, index: int) -> str:
        """Give the image file of a sample, or its number if the data set knows no file."""
        return self._paths(index).get('img_path', f'sample {index}')

    def reading(self) -> dict[int, str | None]:
        """Give by process what each worker reads, or read when it died; None for nothing."""
        notes = self._reading.tolist()
        return {process: None if index == IDLE else self.name(index) for process, index in notes}

    def _read(self, index: int, position: int, attempt: int) -> Any:
        worker = get_worker_info()
        note = self._reading[0 if worker is None else worker.id]
        note[0], note[1] = os.getpid(), index
        try:
            seed_sample(self.seed, position, attempt)
            return self.dataset[index]
        finally:
            note[1] = IDLE

    def _paths(self, index: int) -> dict[str, str]:
        """Image, label and depth files of a sample, if the data set knows them."""
        try:
            info = self.dataset.get_data_info(index)
        except (AttributeError, NotImplementedError):
            return {}
        return {key: path for key, path in info.items() if key.endswith('_path') and path}

    def _reason(self, index: int, error: Exception) -> str:
        """What is wrong with a sample, with its file."""
        text = str(error)
        if not isinstance(error, InputError):
            return f'{self.name(index)}: {type(error).__name__}: {text}'
        named = any(path in text for path in self._paths(index).values())
        return text if named else f'{self.name(index)}: {text}'

    def _substitute(self, index: int, position: int, attempt: int) -> int:
        """Choose another sample of the same part of a ``ConcatDataset``, or of the data set."""
        start, end = 0, len(self.dataset)
        for part_end in getattr(self.dataset, 'cumulative_sizes', ()):
            if index < part_end:
                end = part_end
                break
            start = part_end
        return start + derived_number(self.seed, SUBSTITUTE, position, attempt) % (end - start)
