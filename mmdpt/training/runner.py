"""MMEngine's runner with a readable console, which starts from any checkpoint that is read here."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from mmengine.dist import broadcast_object_list, get_rank, is_main_process, master_only
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, find_latest_checkpoint
from mmengine.runner import Runner as MMEngineRunner
from torch import nn
from torch.utils.data import DataLoader

from mmdpt.checkpoints import load_weights, read_weights
from mmdpt.checkpoints.convert import task_of
from mmdpt.checkpoints.load import Weights
from mmdpt.checkpoints.pretrained_init import with_encoder
from mmdpt.checkpoints.reading.mmengine_loader import reading_safely
from mmdpt.checkpoints.reading.reader import local_path
from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.errors import InputError
from mmdpt.files.paths import is_address
from mmdpt.registry import RUNNERS
from mmdpt.training.resume.checkpoint_contents import (
    contents_of,
    dataset_meta,
    read_notes,
    read_training_checkpoint,
    restore_log,
    to_plain,
)
from mmdpt.training.resume.checkpoint_files import write_checkpoint
from mmdpt.training.resume.checkpoint_hook import CheckpointHook
from mmdpt.training.resume.settings import restore_progress
from mmdpt.training.stopping.stop_signals import leave_signals_to_main_process

from .log_files import fits_the_console, report_once
from .train_loop import EpochBasedTrainLoop, IterBasedTrainLoop
from .wrapped_model import unwrap

T = TypeVar('T')
DDP = 'MMDistributedDataParallel'


@RUNNERS.register_module()
class Runner(MMEngineRunner):
    """MMEngine's runner with a short console and safe checkpoints.

    Environment, config and hook list go to the log file only. ``load_from`` takes what
    ``read_checkpoint`` takes, such as the name of a release, and converts foreign files. Nothing in
    a checkpoint is executed, nor by components of the host packages. The log says which weights do
    not fit the model; a test refuses them. A checkpoint under its final name is always complete,
    and a damaged one is refused, see ``checkpoint_files``.
    """

    _load_from: str | None
    _resume: bool | str
    _has_loaded: bool
    optim_wrapper: Any
    param_schedulers: Any

    @reading_safely()
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger and filter its console."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(fits_the_console)
            elif isinstance(handler, logging.FileHandler):
                report_once(handler)
        logger.info(f'log file: {logger.log_file}')
        return logger

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model in DDP, with gradients stored in the buckets that DDP exchanges.

        MMEngine's defaults hold whether or not the config names a wrapper.
        """
        if self.distributed and not is_model_wrapper(model):
            cfg = dict(model_wrapper_cfg or {})
            if cfg.setdefault('type', DDP) == DDP:
                cfg.setdefault('broadcast_buffers', False)
                cfg.setdefault(
                    'find_unused_parameters', self.cfg.get('find_unused_parameters', False)
                )
                cfg.setdefault('gradient_as_bucket_view', True)
            model_wrapper_cfg = cfg
        return super().wrap_model(model_wrapper_cfg, model)

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Build a data loader that does not use the training's random numbers.

        With ``diff_rank_seed`` MMEngine gives samplers a random seed. Here they get rank 0's.
        """
        if seed is not None and diff_rank_seed:
            seed -= get_rank()
        loader = MMEngineRunner.build_dataloader(dataloader, seed)
        if seed is not None and loader is not dataloader:
            loader.generator = torch.Generator().manual_seed(seed)
        if loader is not dataloader:
            leave_signals_to_main_process(loader)
        return loader

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop; ``by_epoch`` means ours, as their names do."""
        if isinstance(loop, dict) and 'type' not in loop and 'by_epoch' in loop:
            loop = dict(loop)
            by_epoch = loop.pop('by_epoch')
            loop['type'] = EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop
        return super().build_train_loop(loop)

    def build_evaluator(self, evaluator: dict | list | Evaluator) -> Evaluator:
        """Build metrics that collect results through the process group, whatever the backend.

        MMEngine's default writes them into a folder, which all machines would have to share.
        """
        built = super().build_evaluator(evaluator)
        for metric in built.metrics:
            if self.distributed and metric.collect_dir is None:
                metric.collect_device = 'gpu'  # gathers objects: through gloo on the CPU
        return built

    @reading_safely()
    def train(self) -> nn.Module:
        """Train, and restore the handlers of signals however the training ends."""
        try:
            return super().train()
        finally:
            self.call_hook('release_signals')

    val = reading_safely()(MMEngineRunner.val)
    test = reading_safely()(MMEngineRunner.test)

    def load_or_resume(self) -> None:
        """Resume ``load_from``, or without it the newest intact checkpoint; or start from it.

        ``resume='auto'`` resumes the newest, and starts from ``load_from`` where there is none.

        Raises:
            InputError: If the checkpoint cannot be had, is damaged or does not fit the model.
        """
        if self._has_loaded:
            return
        resumed = None
        if self._resume:
            given = None if self._resume == 'auto' else self._load_from
            resumed = given or self._newest_checkpoint()
        self._resume = resumed is not None  # hooks ask for it
        if resumed is not None:
            self.resume(resumed)
        elif self._load_from is not None:
            self.load_checkpoint(self._load_from)

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', strict: bool = False, revise_keys: Any = ()
    ) -> dict[str, Any]:
        """Load weights of any layout, and give what else but an optimiser the file holds.

        A test needs all of the model's weights, a training at least half of them. Every tensor goes
        to where the model has it. A foreign head alone gets its config's encoder, see
        ``with_encoder``. Only rank 0 needs the files. ``revise_keys`` are pairs of a pattern in the
        keys and its replacement.

        Raises:
            InputError: If the checkpoint cannot be had, is damaged or does not fit the model.
        """
        model = unwrap(self.model)

        def read() -> tuple[Weights, dict[str, Any]]:
            weights = read_weights(filename, task_of(model.state_dict()))
            if weights.report is not None:
                weights = weights._replace(state_dict=with_encoder(model, weights.state_dict))
            return weights, read_notes(filename)

        (state_dict, meta, report), notes = _as_rank_0(read)
        if report is not None:
            self.logger.info(f'{filename} is a checkpoint of {report}')
        for pattern, text in revise_keys:
            state_dict = {re.sub(pattern, text, key): v for key, v in state_dict.items()}
        if filename in RELEASES and (options := ' '.join(RELEASES[filename].options)):
            self.logger.info(f'{filename}, for equal numbers: --cfg-options {options}')
        checkpoint = {**notes, 'state_dict': state_dict, 'meta': meta}
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        fit = 'start' if isinstance(self._train_loop, BaseLoop) else 'whole'
        weights = dict(checkpoint['state_dict'])
        mismatch = load_weights(model, weights, filename, 'exactly' if strict else fit)
        anew = '' if mismatch.fills else '; what is of another shape or missing starts anew'
        self.logger.info(f'Load checkpoint from {filename}: {mismatch}{anew}')
        self._has_loaded = True
        return checkpoint

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = 'default',
    ) -> None:
        """Continue from a checkpoint that a training wrote. Nothing in the file is executed.

        Only rank 0 needs the file. Every part goes to the device that the training uses.

        Raises:
            InputError: If the file is damaged, is not from a training, or does not fit the model.
        """
        checkpoint = _as_rank_0(lambda: read_training_checkpoint(local_path(filename)))
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        load_weights(unwrap(self.model), dict(checkpoint['state_dict']), filename, fit='whole')
        meta = checkpoint['meta']
        self.train_loop._epoch, self.train_loop._iter = meta['epoch'], meta['iter']
        asked, seed = self._randomness_cfg.get('seed'), meta.get('seed')
        if seed is not None and seed != asked:
            if asked is not None:
                self.logger.warning(f'seed {seed} of the checkpoint, not {asked} of the config')
            self._randomness_cfg.update(seed=seed)
            self.set_randomness(**self._randomness_cfg)
        if meta.get('dataset_meta') != to_plain(dataset_meta(self), 'dataset_meta'):
            self.logger.warning(
                f'{filename} was trained on data of other classes or another palette'
            )
        restore_log(self.message_hub, checkpoint['message_hub'])
        self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
        if self.param_schedulers:
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
        wanted = dict(optimizer=resume_optimizer, param_schedulers=resume_param_scheduler)
        saved = {key: checkpoint.get(key) for key, asked in wanted.items() if asked}
        try:
            lines = restore_progress(self.optim_wrapper, self.param_schedulers, saved, meta)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f'checkpoint {filename} does not fit the optimiser: {error}'
            ) from error
        for line in lines:
            self.logger.warning(line)
        self._has_loaded = True
        finished = '; the training is finished' if self.iter >= self.max_iters else ''
        self.logger.info(f'resumed {filename}, epoch: {self.epoch}, iter: {self.iter}{finished}')

    @master_only
    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        backend_args: dict | None = None,
    ) -> None:
        """Write a checkpoint. A file under its final name is always complete.

        MMEngine's arguments; an address is left to its backends, which promise no such thing.

        Raises:
            InputError: For any OSError, such as a full disk. An older file of that name remains.
        """
        if is_address(out_dir) or file_client_args or backend_args:
            super().save_checkpoint(
                out_dir, filename, file_client_args, save_optimizer, save_param_scheduler, meta,
                by_epoch, backend_args,
            )  # fmt: skip
            return
        counters = dict(epoch=self.epoch + by_epoch, iter=self.iter + (not by_epoch))
        checkpoint = contents_of(
            self, {**counters, **(meta or {})}, save_optimizer, save_param_scheduler
        )
        write_checkpoint(checkpoint, Path(out_dir) / filename)

    def _newest_checkpoint(self) -> str | None:
        """Find the newest whole checkpoint of rank 0's work dir, which all ranks resume."""
        hook = next((hook for hook in self.hooks if isinstance(hook, CheckpointHook)), None)
        if hook is not None and not is_address(hook.out_dir or ''):
            return _as_rank_0(lambda: hook.newest(self))
        return _as_rank_0(lambda: find_latest_checkpoint(self.work_dir))


def _as_rank_0(read: Callable[[], T]) -> T:
    """Give every rank what rank 0 reads: other machines may lack the file."""
    shared: Any = [read() if is_main_process() else None]
    broadcast_object_list(shared)
    return shared[0]
