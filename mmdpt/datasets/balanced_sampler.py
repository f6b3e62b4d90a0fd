"""Mix data sets by share, not by size; MiDaS trains on equal parts (arXiv:1907.01341)."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmdpt.errors import InputError
from mmdpt.registry import DATA_SAMPLERS

MAX_CYCLE = 1000
"""Longest cycle [samples]; other weights are rounded to thousandths."""

_CYCLE, _SET = 0, 1  # streams of random numbers: order of sets in a cycle, of images in a set


@DATA_SAMPLERS.register_module()
class BalancedSampler(Sampler):
    """Endless indices of a ``ConcatDataset``, in which every set has its share.

    A cycle draws from the sets in random order, from each as often as its weight says. Each set
    is shuffled anew once all of its images have been drawn. So the shares are exact over whole
    cycles, and no image is repeated before its set is used up.

    The sequence is a function of seed and position alone. Rank r of W takes the positions
    r, r + W, ... of the same sequence, for every W, and ``skip`` costs nothing. Under MMEngine's
    ``IterBasedTrainLoop`` a resumed run continues with the sample after the last one seen.

    Args:
        dataset: MMEngine's ``ConcatDataset``, or anything with ``datasets``.
        weights: Share of each set, in any unit; equal by default.
        seed: Seed of the order, the same on all ranks; by default random and synchronised.

    Raises:
        InputError: If ``dataset`` has no ``datasets``, one of them is empty, or the weights are
            not one for each set, finite, not negative and not all zero.
    """

    def __init__(
        self, dataset: Any, weights: Sequence[float] | None = None, seed: int | None = None
    ) -> None:
        if not hasattr(dataset, 'datasets'):
            raise InputError(
                f'BalancedSampler needs a ConcatDataset, got {type(dataset).__name__} without '
                '`datasets`'
            )
        self.sizes = [len(part) for part in dataset.datasets]
        if 0 in self.sizes or not self.sizes:
            raise InputError(f'BalancedSampler: a data set is empty, sizes {self.sizes}')
        self.dataset = dataset
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.start = 0
        self.offsets = np.cumsum([0, *self.sizes[:-1]]).tolist()
        self.per_cycle = _per_cycle([1] * len(self.sizes) if weights is None else weights)
        if len(self.per_cycle) != len(self.sizes):
            raise InputError(
                f'BalancedSampler: {len(self.per_cycle)} weights for {len(self.sizes)} data sets'
            )

    def __iter__(self) -> Iterator[int]:
        """Yield indices of this rank without end, from the position that ``skip`` set."""
        length = sum(self.per_cycle)
        position = self.rank + self.start * self.world_size
        cycle = -1
        walks: list[tuple[int, list[int]]] = [(-1, [])] * len(self.sizes)
        while True:
            if position // length != cycle:
                cycle = position // length
                slots = self._slots(cycle)
            part, drawn = slots[position % length]
            walk, place = divmod(drawn, self.sizes[part])
            if walks[part][0] != walk:
                walks[part] = walk, self._shuffled(self.sizes[part], _SET, part, walk)
            yield self.offsets[part] + walks[part][1][place]
            position += self.world_size

    def skip(self, num_samples: int) -> None:
        """Skip the first samples of this rank in the next iteration.

        MMEngine's loop relies on this to resume, as on ``InfiniteSampler.skip``.

        Raises:
            ValueError: If the number is negative.
        """
        if num_samples < 0:
            raise ValueError(f'num_samples must not be negative, got {num_samples}')
        self.start = num_samples

    def __len__(self) -> int:
        """Give the number of images, as MMEngine's ``InfiniteSampler``; the sequence is endless."""
        return sum(self.sizes)

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: the sequence has no epochs."""

    def _slots(self, cycle: int) -> list[tuple[int, int]]:
        """Set and number of its earlier draws, for each position of a cycle."""
        drawn = [cycle * count for count in self.per_cycle]
        parts = [part for part, count in enumerate(self.per_cycle) for _ in range(count)]
        slots = []
        for place in self._shuffled(len(parts), _CYCLE, 0, cycle):
            slots.append((parts[place], drawn[parts[place]]))
            drawn[parts[place]] += 1
        return slots

    def _shuffled(self, count: int, *stream: int) -> list[int]:
        return np.random.default_rng([self.seed, *stream]).permutation(count).tolist()


def _per_cycle(weights: Sequence[float]) -> list[int]:
    """Draws from each set in the shortest cycle whose shares are the weights."""
    if not all(0 <= weight < math.inf for weight in weights) or not any(weights):
        raise InputError(
            'BalancedSampler: weights must be finite, not negative and not all zero, got '
            f'{list(weights)}'
        )
    exact = [Fraction(str(float(weight))) for weight in weights]  # 0.1 is a tenth
    counts = [int(weight * math.lcm(*(w.denominator for w in exact))) for weight in exact]
    counts = [count // math.gcd(*counts) for count in counts]
    total = sum(counts)
    if total <= MAX_CYCLE:
        return counts
    return [max(1, round(MAX_CYCLE * count / total)) if count else 0 for count in counts]
