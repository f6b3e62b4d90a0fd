"""Number the draws of a training, so that a resumed one starts at any of them."""

from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Any

from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from mmdpt.errors import InputError


class Draw(int):
    """Index of a sample that knows its ``position``, the number of the draw among all ranks'."""

    position: int

    def __new__(cls, index: int, position: int) -> 'Draw':
        draw = super().__new__(cls, index)
        draw.position = position
        return draw

    def __getnewargs__(self) -> tuple[int, int]:  # type: ignore[override]
        """Pickle the position too: indices are sent to the workers."""
        return int(self), self.position


class PositionSampler(Sampler):
    """The draws of another sampler without end, each with its position.

    Draw k of rank r of W has the position r + k * W. A sampler that ends begins anew with the next
    epoch, so that a batch may hold samples of two.

    Args:
        sampler: Of this rank, endless or not.
        start: How many draws of this rank to leave out; nothing is loaded for them.
    """

    def __init__(self, sampler: Any, start: int = 0) -> None:
        self.sampler = sampler
        self.start = start
        self.rank, self.world_size = get_dist_info()

    def __iter__(self) -> Iterator[Draw]:
        """Yield the draws from ``start`` on.

        Raises:
            InputError: If the sampler has none.
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
        """Draws of the other sampler's epoch."""
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: the position says which epoch it is."""


class LaterBatches(Sampler):
    """The batches of a batch sampler without the first ones.

    Args:
        batch_sampler: One that is not torch's, whose batches need not be of one size.
        start: How many batches to leave out; nothing is loaded for them.
    """

    def __init__(self, batch_sampler: Any, start: int = 0) -> None:
        self.batch_sampler = batch_sampler
        self.sampler = batch_sampler.sampler  # MMEngine's DistSamplerSeedHook looks for it
        self.start = start

    def __iter__(self) -> Iterator[list[int]]:
        """Yield lists of draws."""
        return islice(iter(self.batch_sampler), self.start, None)

    def __len__(self) -> int:
        """Batches of the other's epoch."""
        return len(self.batch_sampler)
