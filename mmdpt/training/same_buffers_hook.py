"""Validate on all ranks the model that is saved."""

from mmengine.dist import broadcast, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdpt.registry import HOOKS

from .wrapped_model import unwrap


@HOOKS.register_module()
class SameBuffersHook(Hook):
    """Before a validation, give every rank the buffers of rank 0, which checkpoints hold.

    Each rank's BatchNorm has statistics of its own images. MMEngine validates every rank's part of
    the data with that rank's, so that the metrics are of no model that there is.
    """

    priority = 'LOWEST'  # after EMAHook, which exchanges the model's buffers

    def before_val_epoch(self, runner: Runner) -> None:
        """Send rank 0's."""
        if get_world_size() > 1:
            for buffer in unwrap(runner.model).buffers():
                broadcast(buffer)
