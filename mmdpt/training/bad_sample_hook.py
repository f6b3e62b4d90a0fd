"""Count and list the samples that a training skips."""

from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdpt.files.atomic import write_atomically
from mmdpt.files.paths import name_some
from mmdpt.registry import HOOKS

BAD_SAMPLES = 'bad_samples'
"""Key in the message hub (saved in checkpoints) of [times, reason] by file."""
LIST = 'bad_samples.txt'

BadSamples = dict[str, list[Any]]


@HOOKS.register_module()
class BadSampleHook(Hook):
    """Log each bad sample when it is first met, and list those of all ranks at the end.

    The log lists the first twenty, ``bad_samples.txt`` in the work dir lists all. A resumed run
    continues the list of its checkpoint. ``IterBasedTrainLoop(on_bad_sample='skip')`` adds this
    hook by itself.
    """

    def before_train(self, runner: Runner) -> None:
        """Begin with the samples that the checkpoint of a resumed run lists."""
        listed = runner.message_hub.runtime_info.get(BAD_SAMPLES, {}) if runner.iter else {}
        self.known: BadSamples = dict(listed)
        self.new: BadSamples = {}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, **_: Any
    ) -> None:
        """Note the samples that a batch does without."""
        for sample in (data_batch or {}).get('data_samples', ()):
            for path, reason in sample.metainfo.get('skipped', ()):
                if path not in self.known and path not in self.new:
                    runner.logger.warning(f'bad sample left out: {reason}')
                self.new.setdefault(path, [0, reason])[0] += 1
        if self.new and get_world_size() == 1:
            self._exchange(runner)

    def before_val(self, runner: Runner) -> None:
        """Exchange what the ranks found."""
        self._exchange(runner)

    def after_train(self, runner: Runner) -> None:
        """List the bad samples of all ranks, each with how often it was drawn."""
        self._exchange(runner)
        if not self.known or not is_main_process():
            return
        lines = [f'{times} x {reason}' for _, (times, reason) in sorted(self.known.items())]
        path = Path(runner.work_dir) / LIST
        write_atomically(path, ('\n'.join(lines) + '\n').encode())
        total = sum(times for times, _ in self.known.values())
        runner.logger.warning(
            f'{len(lines)} bad samples were left out, {total} times in all, see {path}:'
            f'{name_some(lines)}'
        )

    def _exchange(self, runner: Runner) -> None:
        """Let every rank know the bad samples of all."""
        for found in all_gather_object(self.new):
            for path, (times, reason) in found.items():
                self.known.setdefault(path, [0, reason])[0] += times
        self.new = {}
        runner.message_hub.update_info(BAD_SAMPLES, self.known)
