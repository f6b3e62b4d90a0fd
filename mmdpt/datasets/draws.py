"""Number the draws of a training and seed each by its number, so that a resumed one equals it.

A random number is a function of what is computed, not of what was computed before.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from mmdpt.errors import InputError

SAMPLE, SUBSTITUTE, ITERATION = 'sample', 'substitute', 'iteration'
"""Streams of random numbers: a sample's pipeline, the substitute of a bad sample, an iteration."""


def derived_number(seed: int, stream: str, *place: int) -> int:
    """Derive a 64-bit number from a seed, a stream and a place in it."""
    # twenty times as fast as NumPy's SeedSequence
    digest = hashlib.blake2b(repr((seed, stream, *place)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little')


def seed_sample(seed: int, position: int, attempt: int) -> None:
    """Seed Python, NumPy and torch's CPU for one sample of the training.

    Args:
        seed: Seed of the run.
        position: Number of the draw among those of all ranks.
        attempt: Number of bad samples before at this position.
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
    epoch begins, so that a batch may hold samples of two epochs.

    Args:
        sampler: Sampler of this rank, endless or not.
        start: Number of draws of this rank to skip; nothing is loaded for them.
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
    """The batches of a batch sampler without the first ones.

    Args:
        batch_sampler: A config's own batch sampler, whose batches may differ in size.
        start: Number of batches to skip; nothing is loaded for them.
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
