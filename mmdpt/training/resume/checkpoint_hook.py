"""Save checkpoints so that a run can always be resumed."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process, master_only
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from mmdpt.errors import InputError, check_choice
from mmdpt.files.paths import is_address, make_folder
from mmdpt.registry import HOOKS

from .checkpoint_files import newest_whole, point_at, publish, remove_unfinished

POLICIES = ('stop', 'continue')
BEST = dict(mIoU='greater', abs_rel='less', whdr='less', angle='less')
"""Metrics that ``save_best='auto'`` looks for, and which values of them are better."""
VALIDATED = 'last_validation'
"""Key in the message hub (saved in checkpoints) of the iteration of the last validation."""
OUTDATED = 'outdated_ckpt_ids'
"""Key in the message hub of the checkpoints to remove once the newest is written."""


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's hook, in an order that survives a kill at any moment.

    It first writes the new checkpoint, then updates ``last_checkpoint``, then removes older ones.
    So for a moment there is one more than ``max_keep_ckpts``. The best checkpoints are written in
    the same order; ``save_best='auto'`` goes by the first of mIoU, AbsRel, WHDR and angle that a
    validation has, or else by its first metric. With accumulated gradients, a checkpoint waits
    until the update is made.

    Args:
        on_save_error: What to do when a checkpoint cannot be written (full disk, read-only or
            vanished folder): 'stop' the training, or 'continue' to the next checkpoint with an
            error in the log. If the last one cannot be written, the training always stops.
        save_retries: How often to try again first.
        retry_wait: Time before each further try [s].
        **kwargs: MMEngine's arguments: ``interval``, ``by_epoch``, ``max_keep_ckpts``, ...
    """

    trains = False
    out_dir: Any
    last_ckpt: str | None
    keep_ckpt_ids: deque[int]

    def __init__(
        self,
        *args: Any,
        on_save_error: str = 'stop',
        save_retries: int = 3,
        retry_wait: float = 10.0,
        **kwargs: Any,
    ) -> None:
        if save_retries < 0:
            raise ValueError(f'save_retries must be >= 0, got {save_retries}')
        super().__init__(*args, **kwargs)
        self.due = False
        self.on_save_error = check_choice('on_save_error', on_save_error, POLICIES)
        self.save_retries = save_retries
        self.retry_wait = retry_wait

    def newest(self, runner: Runner) -> str | None:
        """Find the checkpoint to resume, before the training starts. See ``newest_whole``.

        Raises:
            InputError: If there are checkpoints, and all are damaged.
        """
        work_dir = Path(runner.work_dir)
        newest, damaged = newest_whole(work_dir, self._folder(runner), self.filename_tmpl)
        if newest is None and damaged:
            faults = '; '.join(damaged)
            raise InputError(
                f'no whole checkpoint to resume in {work_dir}: {faults}. Without --resume the '
                'training starts anew'
            )
        for line in damaged:
            runner.logger.warning(f'left out of resuming: {line}')
        return None if newest is None else str(newest)

    def before_train(self, runner: Runner) -> None:
        """Remove what a killed process of this run left behind."""
        self.trains = True
        hub = runner.message_hub.runtime_info
        if OUTDATED in hub:  # MMEngine's hook removes what is too many
            hub['keep_ckpt_ids'] = [*hub.pop(OUTDATED), *hub['keep_ckpt_ids']]
        super().before_train(runner)
        if is_main_process() and not is_address(self.out_dir):
            make_folder(self.out_dir)
            for folder in {self.out_dir, runner.work_dir}:
                remove_unfinished(Path(folder))

    def after_train_iter(self, runner: Runner, batch_idx: int, **_: Any) -> None:
        """Save at the end of an interval or of the training, once the update is complete."""
        if self.by_epoch:
            return
        last = self.save_last and self.is_last_train_iter(runner)
        if last or self.every_n_train_iters(runner, self.interval, self.save_begin):
            self.due = True
        if self.due and _is_updated(runner):
            self.due = False
            runner.logger.info(f'Saving checkpoint at {runner.iter + 1} iterations')
            self._save_checkpoint(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint, and note that this validation is done."""
        if self.trains:  # who asks for the iteration builds the training's data
            runner.message_hub.update_info(VALIDATED, runner.iter)
        super().after_val_epoch(runner, metrics)

    def save(self, runner: Runner, iteration: int) -> None:
        """Save a checkpoint after ``iteration`` iterations, outside the interval.

        Raises:
            InputError: If it cannot be written, whatever ``on_save_error`` says.
        """
        policy, self.on_save_error = self.on_save_error, 'stop'
        try:
            meta = dict(epoch=runner.epoch, iter=iteration)
            self._save_checkpoint_with_step(runner, iteration, meta)
        finally:
            self.on_save_error = policy

    def _folder(self, runner: Runner) -> Path:
        """Give the folder of the checkpoints. MMEngine's hook sets ``out_dir`` to it later."""
        work_dir = Path(runner.work_dir)
        if self.out_dir is None or str(self.out_dir) == runner.work_dir:
            return work_dir
        return Path(self.out_dir) / work_dir.name

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        hub = runner.message_hub
        before = self.last_ckpt, hub.runtime_info.get('keep_ckpt_ids', [])
        ids = []
        if self.max_keep_ckpts > 0:
            ids = [*(i for i in self.keep_ckpt_ids if i != step), step]
            hub.update_info('keep_ckpt_ids', ids[-self.max_keep_ckpts :])
            # if the run is killed before they are removed, it removes them when resumed
            hub.update_info(OUTDATED, ids[: -self.max_keep_ckpts])
        name = self.filename_tmpl.format(step)
        path = self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        hub.update_info('last_ckpt', path)
        optimizer, schedules = self.save_optimizer, self.save_param_scheduler
        contents = dict(save_optimizer=optimizer, save_param_scheduler=schedules, **self.args)

        def write() -> None:
            self._save_as(runner, name, meta, self.by_epoch, **contents)
            if is_main_process():
                point_at(Path(path), Path(runner.work_dir))

        last_step = runner.max_epochs if self.by_epoch else runner.max_iters
        if not self._written(runner, write, may_continue=step < last_step):
            self.last_ckpt = before[0]
            hub.update_info('last_ckpt', before[0])
            hub.update_info('keep_ckpt_ids', before[1])
            hub.update_info(OUTDATED, [])
            return
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids = deque(ids, self.max_keep_ckpts)
            for outdated in ids[: -self.max_keep_ckpts]:
                name = self.filename_tmpl.format(outdated)
                self._remove(runner, self.file_backend.join_path(self.out_dir, name))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not self.save_best:
            return
        if 'auto' in self.key_indicators:
            last_parts = {name: name.rpartition('/')[2] for name in metrics}
            metric = next(
                (name for name in metrics if last_parts[name] in BEST), next(iter(metrics))
            )
            self._init_rule([self.rules[0] or BEST.get(last_parts[metric])], [metric])
        step, unit = (runner.epoch, 'epoch') if self.by_epoch else (runner.iter, 'iter')
        meta = dict(epoch=runner.epoch, iter=runner.iter)
        outdated = []
        for metric in self.key_indicators:
            name = f'best_{metric}_{self.filename_tmpl.format(step)}'.replace('/', '_')
            replaced = self._save_if_best(runner, metric, metrics[metric], name, meta)
            if replaced is None:
                continue
            outdated.append(replaced)
            runner.logger.info(
                f'The best checkpoint with {metrics[metric]:0.4f} {metric} at {step} {unit} is '
                f'saved to {name}.'
            )
        # again, since it names the best ones
        if outdated and self.last_ckpt is not None and _is_updated(runner):
            self._save_checkpoint_with_step(runner, step, meta)
        for path in filter(None, outdated):
            self._remove(runner, path)

    def _save_if_best(
        self, runner: Runner, metric: str, score: Any, name: str, meta: dict
    ) -> str | None:
        """Save a better checkpoint; return the path that it replaces, '' for none, else None."""
        hub = runner.message_hub
        only = len(self.key_indicators) == 1
        score_key, path_key = (
            ('best_score', 'best_ckpt') if only else (f'best_score_{metric}', f'best_ckpt_{metric}')
        )
        before = {key: hub.runtime_info.get(key) for key in (score_key, path_key)}
        best = before[score_key]
        if score is None or not (best is None or self.is_better_than[metric](score, best)):
            return None
        path = self.file_backend.join_path(self.out_dir, name)
        hub.update_info_dict({score_key: score, path_key: path})
        contents = dict(save_optimizer=False, save_param_scheduler=False)
        write = partial(self._save_as, runner, name, meta, by_epoch=False, **contents)
        if not self._written(runner, write, may_continue=True):
            hub.update_info_dict(before)
            return None
        if only:
            self.best_ckpt_path = path
        else:
            self.best_ckpt_path_dict[metric] = path
        replaced = before[path_key] or ''
        return '' if replaced == path else replaced

    def _save_as(
        self, runner: Runner, name: str, meta: dict, by_epoch: bool, **contents: Any
    ) -> None:
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            meta=meta,
            by_epoch=by_epoch,
            backend_args=self.backend_args,
            **contents,
        )

    def _written(self, runner: Runner, write: Callable[[], None], may_continue: bool) -> bool:
        """Write as ``on_save_error`` says; tell whether it was written."""
        for further in range(self.save_retries, -1, -1):
            try:
                write()
                return True
            except InputError as error:
                if not isinstance(error.__cause__, OSError):
                    raise
                failure = error
            if further:
                runner.logger.warning(
                    f'{failure}; trying again in {self.retry_wait:g} s, {further} more times'
                )
                time.sleep(self.retry_wait)
        if self.on_save_error == 'stop' or not may_continue:
            raise InputError(
                f'{failure}; earlier checkpoints are as they were, and --resume goes on from the '
                'newest'
            ) from failure
        runner.logger.error(f'{failure}; training goes on without this checkpoint')
        return False

    @master_only
    def _remove(self, runner: Runner, path: str) -> None:
        try:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):  # DeepSpeed's checkpoints
                self.file_backend.rmtree(path)
        except OSError as error:
            runner.logger.warning(f'cannot remove {path}: {error.strerror or error}')

    @master_only
    def _publish_model(self, runner: Runner, ckpt_path: str) -> None:
        published = publish(Path(ckpt_path), self.published_keys)
        runner.logger.info(f'{ckpt_path} is published as {published}')


def _is_updated(runner: Runner) -> bool:
    """Tell whether no gradients wait for an update; checkpoints do not hold these."""
    wrapper = runner.optim_wrapper
    return isinstance(wrapper, OptimWrapperDict) or wrapper.should_update()
