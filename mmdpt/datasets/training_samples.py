"""What the workers of a training read: each sample a function of its draw, bad ones named."""

import os
from multiprocessing.sharedctypes import RawArray
from typing import Any

from torch.utils.data import Dataset, get_worker_info

from mmdpt.errors import InputError

from .draws import SUBSTITUTE, derived_number, seed_sample

ON_BAD_SAMPLE = ('stop', 'skip')
MAX_ATTEMPTS = 20
"""Bad samples at one position after which a training stops in any case."""

IDLE = -1


class TrainingSamples(Dataset):
    """A data set whose samples depend on seed and draw alone, in whatever process they are read.

    Python's, NumPy's and torch's random numbers are seeded from (seed, position of the draw)
    before the pipeline runs. A sample is bad if its pipeline raises. 'stop' raises, naming its
    file. 'skip' takes another sample in its place, of the same part of a ``ConcatDataset``, chosen
    by (seed, position, attempt); the file and the reason of each one left out are ``skipped`` in
    the meta information of the data sample that came instead.

    Everything else is the data set's.

    Args:
        dataset: The data set of the training.
        seed: Of the run, the same on all ranks.
        on_bad_sample: 'stop' or 'skip'.
        num_workers: Of the data loader.

    Raises:
        InputError: If ``on_bad_sample`` is another.
    """

    def __init__(
        self, dataset: Any, seed: int, on_bad_sample: str = 'stop', num_workers: int = 0
    ) -> None:
        if on_bad_sample not in ON_BAD_SAMPLE:
            raise InputError(
                f'on_bad_sample must be one of {list(ON_BAD_SAMPLE)}, got {on_bad_sample!r}'
            )
        self.dataset = dataset
        self.seed = seed
        self.on_bad_sample = on_bad_sample
        # process id and index of what each worker is reading, shared with the main process
        self._reading = RawArray('q', [0, IDLE] * max(1, num_workers))

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or 'dataset' not in vars(self):  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: int) -> Any:
        """Read the sample of a draw; of a plain index, as that of the draw of its number.

        Raises:
            InputError: Naming the file and what is wrong with it, if ``on_bad_sample`` is 'stop';
                naming the last one, if all that were tried in its place are bad too.
            RuntimeError: Naming the file, if a step of the pipeline raises something else.
        """
        index, position = int(draw), getattr(draw, 'position', int(draw))
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
        """Give the image file of a sample, or its number where the data set knows no file."""
        return self._paths(index).get('img_path', f'sample {index}')

    def reading(self) -> dict[int, str | None]:
        """Name by process what each worker is reading, or was when it died; None for nothing."""
        notes = zip(self._reading[::2], self._reading[1::2], strict=True)
        return {process: None if index == IDLE else self.name(index) for process, index in notes}

    def _read(self, index: int, position: int, attempt: int) -> Any:
        worker = get_worker_info()
        slot = 0 if worker is None else 2 * worker.id
        self._reading[slot] = os.getpid()
        self._reading[slot + 1] = index
        try:
            seed_sample(self.seed, position, attempt)
            return self.dataset[index]
        finally:
            self._reading[slot + 1] = IDLE

    def _paths(self, index: int) -> dict[str, str]:
        """Image, label and depth files of a sample, as far as the data set knows them."""
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
