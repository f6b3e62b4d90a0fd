"""Train loops: each iteration depends on its number and the seed alone, or epochs have an end."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import EpochBasedTrainLoop as MMEngineEpochBasedTrainLoop
from mmengine.runner import IterBasedTrainLoop as MMEngineIterBasedTrainLoop
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from mmdpt.datasets import BalancedSampler
from mmdpt.datasets.training_samples import (
    LaterBatches,
    PositionSampler,
    TrainingSamples,
    seed_iteration,
)
from mmdpt.errors import InputError
from mmdpt.registry import LOOPS
from mmdpt.training.resume.checkpoint_hook import VALIDATED
from mmdpt.training.stopping.stop_signal_hook import ValidationBrokenOff

from .bad_sample_hook import BadSampleHook

DRAWS = 'train_draws'
"""Key in the message hub (saved in checkpoints) of the number of samples drawn on all ranks."""

_WORKER_TROUBLE = re.compile(r'DataLoader (?:worker \(pid(?:\(s\))? ([\d, ]+)\)|timed out)')
"""What torch's data loader says (torch 2.14, utils/data/dataloader.py and DataLoader.cpp)."""


@LOOPS.register_module()
class IterBasedTrainLoop(MMEngineIterBasedTrainLoop):
    """MMEngine's loop, with random numbers for each sample and each iteration.

    Those of a sample follow from the seed and its position among the draws of all ranks; those of
    an iteration from seed, rank and number. So a resumed run equals the uninterrupted one with any
    number of workers, and reads no data twice. On another number of processes it continues with the
    samples after the last ones seen.

    Args:
        on_bad_sample: What to do about a sample that cannot be read: 'stop' with an error that
            names it, or 'skip' it, train on another and list all skipped ones at the end. See
            ``TrainingSamples``.
        **kwargs: Further arguments of MMEngine's loop: ``val_interval``, ``val_begin``, ...
    """

    dataloader: DataLoader

    def __init__(
        self,
        runner: Any,
        dataloader: DataLoader | dict,
        max_iters: int,
        on_bad_sample: str = 'stop',
        **kwargs: Any,
    ) -> None:
        super().__init__(runner, dataloader, max_iters, **kwargs)
        self.built_seed = self._seed()
        self.samples: TrainingSamples | None = None
        dataset = self.dataloader.dataset
        seedable = hasattr(dataset, '__dict__') and not isinstance(dataset, IterableDataset)
        if seedable and self.dataloader.batch_sampler is not None:
            self.samples = TrainingSamples(
                dataset, self.built_seed, on_bad_sample, self.dataloader.num_workers
            )
            batches: Any = self.dataloader.batch_sampler
            batches.sampler = PositionSampler(batches.sampler)
            if type(batches) is not BatchSampler:  # it has not been used yet
                vars(self.dataloader)['batch_sampler'] = LaterBatches(batches)
            self.dataloader_iterator: Any = self._batches()
        else:
            runner.logger.warning(
                'The samples of this data loader cannot be seeded one by one: after a resume, '
                'their random numbers are not those of an uninterrupted training.'
            )
        if on_bad_sample == 'skip' and not any(isinstance(h, BadSampleHook) for h in runner.hooks):
            runner.register_hook(BadSampleHook())

    def run(self) -> nn.Module:
        """Train.

        Raises:
            RuntimeError: Naming the file that a worker was reading when it died.
        """
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        if self.samples is None:
            for _ in range(self._iter):
                next(self.dataloader_iterator)
        seed, rank = self._seed(), get_rank()
        with _naming_what_workers_read(self.samples):
            if self._iter > 0 and self.runner.message_hub.runtime_info.get(VALIDATED) != self._iter:
                self._validate()  # the run ended before this validation was done
            while self._iter < self._max_iters and not self.stop_training:
                self.runner.model.train()
                batch = next(self.dataloader_iterator)
                seed_iteration(seed, rank, self._iter)
                self.run_iter(batch)
                self._validate()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _validate(self) -> None:
        self._decide_current_val_interval()
        if self._validates():
            with suppress(ValidationBrokenOff):
                self.runner.val_loop.run()

    def _validates(self) -> bool:
        return (
            self.runner.val_loop is not None
            and not self.stop_training
            and self._iter >= self.val_begin
            and (self._iter % self.val_interval == 0 or self._iter == self._max_iters)
        )

    def _seed(self) -> int:
        """The run's seed without what ``diff_rank_seed`` adds."""
        differs = self.runner._randomness_cfg.get('diff_rank_seed', False)
        return self.runner.seed - (get_rank() if differs else 0)

    def _draws_per_iteration(self) -> int:
        """Count samples on all ranks. A batch sampler of the config counts batches instead."""
        return (self.dataloader.batch_size or 0) * get_world_size()

    def _batches(self) -> Iterator[Any]:
        """Start the workers at the first sample that was not seen, when the first is asked for."""
        assert self.samples is not None
        draws = self._iter * self._draws_per_iteration()
        if self._iter > 0:  # the number of processes or the batch size may have changed
            draws = self.runner.message_hub.runtime_info.get(DRAWS, draws)
        self.samples.seed = self._seed()
        batches: Any = self.dataloader.batch_sampler
        sampler = batches.sampler.sampler
        if getattr(sampler, 'seed', None) == self.built_seed:  # a resumed run has its first seed
            sampler.seed = self._seed()
        if isinstance(batches, LaterBatches):
            batches.start = self._iter
        else:
            batches.sampler.start = -(-draws // get_world_size())
        self.dataloader._iterator = None  # persistent workers that began with other draws
        for batch in self.dataloader:
            draws += self._draws_per_iteration()
            self.runner.message_hub.update_info(DRAWS, draws)
            yield batch


@LOOPS.register_module()
class EpochBasedTrainLoop(MMEngineEpochBasedTrainLoop):
    """MMEngine's loop, which refuses a sampler without end: its first epoch would have none.

    Raises:
        InputError: If the sampler has no end; names the number of iterations to write instead.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sampler = self.dataloader.sampler
        if isinstance(sampler, (InfiniteSampler, BalancedSampler)):
            batch = (self.dataloader.batch_size or 1) * get_world_size()
            iterations = -(-self.max_epochs * len(self.dataloader.dataset) // batch)
            raise InputError(
                f'train_cfg counts epochs, and {type(sampler).__name__} never ends one: write '
                f"train_cfg=dict(type='IterBasedTrainLoop', max_iters={iterations}), or "
                "train_dataloader.sampler=dict(type='DefaultSampler', shuffle=True)"
            )


@contextmanager
def _naming_what_workers_read(samples: TrainingSamples | None) -> Iterator[None]:
    """Add the files to torch's errors of dead workers, which any line may raise (SIGCHLD)."""
    try:
        yield
    except RuntimeError as error:
        found = _WORKER_TROUBLE.match(str(error))
        if found is None or samples is None:
            raise
        reading = samples.reading()
        if found[1]:
            dead = {int(number) for number in found[1].split(',')}
            reading = {process: name for process, name in reading.items() if process in dead}
        if not reading:  # the workers of a validation
            raise
        names = ', '.join(name for name in reading.values() if name) or 'no sample'
        text = str(error).rstrip(' .')
        raise RuntimeError(f'{text}. Reading at that time: {names}') from error
