"""Save and end before the machine is taken away."""

import os
import signal
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmdpt.registry import HOOKS
from mmdpt.training.agreement import Agreement
from mmdpt.training.nonfinite.optim_wrapper import OptimWrapper
from mmdpt.training.resume.checkpoint_hook import CheckpointHook

from .stop_signals import StopSignals

STOPPED_FILE = 'MMDPT_STOPPED_FILE'
"""Environment variable with a file to write then, by which a job script knows to resume."""

ASKED_EVERY = 8
"""Batches of a validation after which the ranks ask one another for a signal."""


class ValidationBrokenOff(Exception):
    """Ends a validation before its end."""


@HOOKS.register_module()
class StopSignalHook(Hook):
    """On SIGTERM or SIGUSR1 to any rank, save a checkpoint and end the training without an error.

    The training first completes the iteration or, with gradient accumulation, the update. It
    interrupts a validation. The ``CheckpointHook`` saves. A second signal, more than two seconds
    later, ends the process at once.
    """

    priority = 'LOWEST'  # the CheckpointHook may have saved this iteration
    active = False

    def before_train(self, runner: Runner) -> None:
        """Start to catch the signals."""
        wrapper = runner.optim_wrapper
        self.asks_itself = not isinstance(wrapper, OptimWrapper)
        self.agreement: Agreement = Agreement() if self.asks_itself else wrapper.agreement
        self.signals = StopSignals(self.agreement)
        self.active = isinstance(runner.train_loop, IterBasedTrainLoop) and self.signals.catch()

    def after_train_iter(self, runner: Runner, batch_idx: int, **_: Any) -> None:
        """Stop once an update is complete, unless the training is over anyway."""
        if not self.active:
            return
        stop = self.agreement.stop_now() if self.asks_itself else self.agreement.stop
        done = runner.iter + 1
        unfinished = done < runner.max_iters or runner.val_loop is not None
        if stop and unfinished and runner.optim_wrapper.should_update():
            self._stop(runner, done)

    def before_val(self, runner: Runner) -> None:
        """Count the batches that every rank has. Some ranks may have one more."""
        if self.active:
            self.shared_batches = self.agreement.least(len(runner.val_dataloader))

    def after_val_iter(self, runner: Runner, batch_idx: int, **_: Any) -> None:
        """Interrupt a validation by ``ValidationBrokenOff``; a resumed training repeats it."""
        due = batch_idx % ASKED_EVERY == 0 or get_world_size() == 1  # asking waits for all ranks
        if self.active and due and batch_idx < self.shared_batches and self.agreement.stop_now():
            runner.logger.warning(f'the validation after iteration {runner.iter} is broken off')
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):  # swap the averaged weights back
                    hook.after_val_epoch(runner)
            self._stop(runner, runner.iter)
            raise ValidationBrokenOff

    def release_signals(self, runner: Runner) -> None:
        """Restore the handlers. The runner calls this however the training ended."""
        if self.active:
            self.signals.release()
        self.active = False

    def _stop(self, runner: Runner, done: int) -> None:
        """Save, log it, and end the train loop after ``done`` iterations."""
        saved = _save(runner, done)
        runner.train_loop.stop_training = True
        name = signal.Signals(self.agreement.stop).name
        runner.logger.warning(
            f'{name}: the training ends after iteration {done}; {saved}; the same command with '
            '--resume goes on'
        )
        if STOPPED_FILE in os.environ and is_main_process():
            Path(os.environ[STOPPED_FILE]).write_text(f'{saved}\n', encoding='utf-8')


def _save(runner: Runner, done: int) -> str:
    """Save through the checkpoint hook unless it has saved; describe the checkpoint."""
    hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    if hook is None:
        return 'there is no CheckpointHook, nothing is saved'
    if Path(hook.last_ckpt or '').name != hook.filename_tmpl.format(done):
        hook.save(runner, done)
    return f'checkpoint {hook.last_ckpt}'
