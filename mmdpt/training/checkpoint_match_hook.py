"""Refuse a checkpoint of another architecture."""

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmdpt.checkpoints import compare, state_dict_of
from mmdpt.errors import InputError
from mmdpt.registry import HOOKS

from .wrapped_model import unwrap


@HOOKS.register_module()
class CheckpointMatchHook(Hook):
    """Compare a checkpoint with the model before it is loaded.

    MMEngine only warns of keys that do not match, and evaluates random weights. For a test or a
    resumed training every parameter must be in the file; where training starts from it
    (``load_from``), at least half of them, so that a new classifier is fine; the log says what
    starts anew.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Raise InputError naming the keys that do not fit."""
        mismatch = compare(unwrap(runner.model), state_dict_of(checkpoint))
        starting = isinstance(runner._train_loop, BaseLoop) and not runner._resume
        if not (mismatch.fills_most if starting else mismatch.fills):
            raise InputError(
                f'checkpoint {runner._load_from or "to resume"} does not fit the model: {mismatch}'
            )
        if not mismatch.fills or mismatch.unexpected:
            anew = '' if mismatch.fills else '; what is of another shape or missing starts anew'
            runner.logger.info(f'checkpoint: {mismatch}{anew}')
