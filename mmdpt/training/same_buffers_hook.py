"""Validate the same model on all ranks: the one that is saved."""

from mmengine.dist import broadcast, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdpt.registry import HOOKS

from .wrapped_model import unwrap


@HOOKS.register_module()
class SameBuffersHook(Hook):
    """Send rank 0's buffers, which checkpoints hold, to all ranks before a validation.

    BatchNorm's statistics differ by rank. MMEngine would validate each part of the data with
    another rank's statistics, and the metrics would belong to no single model.
    """

    priority = 'LOWEST'  # after EMAHook, which exchanges the model's buffers

    def before_val_epoch(self, runner: Runner) -> None:
        """Send rank 0's."""
        if get_world_size() > 1:
            for buffer in unwrap(runner.model).buffers():
                broadcast(buffer)
