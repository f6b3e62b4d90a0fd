"""Stop at a loss or gradient that is NaN or infinite, or leave it out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.files.atomic import atomic_path
from mmdpt.registry import HOOKS
from mmdpt.training.resume.checkpoint_contents import to_plain
from mmdpt.training.wrapped_model import unwrap

from .optim_wrapper import OptimWrapper

LEFT_OUT = 'nonfinite_left_out'
"""Key in the message hub (saved in checkpoints) of the number of batches left out."""


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stop a training whose loss or gradient is NaN or infinite on any rank, or skip the batch.

    Either way no update is made with it, see ``OptimWrapper``. Each rank that may have caused it
    writes its batch to ``<work_dir>/nonfinite/``, for ``torch.load(path, weights_only=True)``:
    ``inputs`` are images (3, H, W) before normalisation, ``data_samples`` dicts of labels and meta
    information, beside iteration, rank, losses and files.

    Args:
        skip_up_to: How many batches to skip in a training, including its resumed parts. A skipped
            batch does not count in the log, and buffers such as BatchNorm's statistics are
            restored. 0 stops at the first.

    Raises:
        InputError: If ``skip_up_to`` is negative.
    """

    priority = 'HIGHEST'  # before the log averages the loss

    def __init__(self, skip_up_to: int = 0) -> None:
        if skip_up_to < 0:
            raise InputError(f'skip_up_to must be 0 or more, got {skip_up_to}')
        self.skip_up_to = skip_up_to

    def before_train(self, runner: Runner) -> None:
        """Tell the optimiser's wrapper to leave such updates out."""
        self.checked = isinstance(runner.optim_wrapper, OptimWrapper)
        if not self.checked:
            runner.logger.warning(
                f'{type(runner.optim_wrapper).__name__} updates the weights whatever the loss is: '
                "NaN is not looked for; mmdpt's OptimWrapper, AmpOptimWrapper and Bf16OptimWrapper "
                'look for it'
            )
            return
        runner.optim_wrapper.leaves_out_nonfinite = True
        self.buffers = list(unwrap(runner.model).buffers())
        self.kept = [buffer.clone() for buffer in self.buffers]

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Remember the buffers."""
        if self.skip_up_to and self.checked:
            _copy(self.buffers, self.kept)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Stop, or skip the batch.

        Raises:
            InputError: If ``skip_up_to`` batches were left out before. It names iteration, rank,
                loss terms, files and where the batch is kept.
        """
        finding = runner.optim_wrapper.finding if self.checked else None
        if finding is None:
            return
        report = self._report(runner, finding, data_batch or {}, outputs or {})
        reports = [line for line in all_gather_object(report) if line]
        left_out = runner.message_hub.runtime_info.get(LEFT_OUT, 0)
        what = f'iteration {runner.iter + 1}: the {finding} is not finite. {" ".join(reports)}'
        if left_out >= self.skip_up_to:
            raise InputError(_stopped(what, self.skip_up_to))
        runner.message_hub.update_info(LEFT_OUT, left_out + 1)
        _copy(self.kept, self.buffers)
        if outputs is not None:
            outputs.clear()  # one NaN would hide the losses of the whole interval in the log
        runner.logger.warning(f'{what} Left out, {left_out + 1} of at most {self.skip_up_to}')

    def after_train(self, runner: Runner) -> None:
        """Log how many batches were left out."""
        left_out = runner.message_hub.runtime_info.get(LEFT_OUT, 0)
        if left_out:
            runner.logger.warning(
                f'{left_out} batches without a finite loss or gradient were left out; they are in '
                f'{_folder(runner)}'
            )

    @staticmethod
    def _report(runner: Runner, finding: str, batch: dict, losses: dict) -> str:
        """Write this rank's batch and describe it; '' if only another rank can be the cause."""
        if finding == 'loss' and not runner.optim_wrapper.agreement.nonfinite_here:
            return ''
        iteration, rank = runner.iter + 1, get_rank()
        terms = {name: _number(value) for name, value in losses.items()}
        samples = batch.get('data_samples', ())
        files = [str(x.metainfo['img_path']) for x in samples if 'img_path' in x.metainfo]
        facts = dict(iteration=iteration, rank=rank, losses=terms, files=files)
        as_dicts = [sample.to_dict() for sample in samples]
        path = _folder(runner) / f'iter_{iteration}_rank_{rank}.pth'
        try:
            with atomic_path(path, parents=True) as unfinished:
                contents = to_plain({**facts, **batch, 'data_samples': as_dicts}, 'batch')
                torch.save(contents, unfinished)
            kept = f'the batch is in {path}'
        except InputError as error:  # the finding is what matters
            kept = f'the batch is lost: {error}'
        values = ', '.join(f'{name} {value:.6g}' for name, value in terms.items())
        return f'Rank {rank}: {values}; files {", ".join(files) or "unknown"}; {kept}.'


def _stopped(what: str, skip_up_to: int) -> str:
    """Say what happened and what a user can do about it."""
    after = f' after {skip_up_to} left out' if skip_up_to else ''
    return (
        f'{what} No update was made of it, and the training stops{after}. A lower learning rate '
        'or optim_wrapper.clip_grad may keep it finite; '
        'default_hooks.nonfinite.skip_up_to=N leaves up to N such batches out'
    )


def _folder(runner: Runner) -> Path:
    return Path(runner.work_dir) / 'nonfinite'


def _number(value: Any) -> float:
    return float(value.detach()) if isinstance(value, Tensor) else float(value)


def _copy(source: Iterable[Tensor], destination: Iterable[Tensor]) -> None:
    for old, new in zip(source, destination, strict=True):
        new.copy_(old)
