"""MMEngine's train loop by epochs, which needs a sampler that ends one."""

from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size
from mmengine.runner import EpochBasedTrainLoop as MMEngineEpochBasedTrainLoop

from mmdpt.datasets import BalancedSampler
from mmdpt.errors import InputError
from mmdpt.registry import LOOPS


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
