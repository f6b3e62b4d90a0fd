"""Let a depth head begin at the median depth of its training set."""

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmdpt.registry import HOOKS

from .wrapped_model import depth_head_of


@HOOKS.register_module()
class MedianDepthHook(Hook):
    """Before a training from scratch, set the bias of the depth head from a few samples.

    The median is that of the valid depths of samples spread evenly over the data set, as the
    pipeline gives them. A training that resumes or starts from a checkpoint is left as it is.

    Args:
        samples: Number of samples.
    """

    def __init__(self, samples: int = 32) -> None:
        self.samples = samples

    def before_train(self, runner: Runner) -> None:
        """Estimate the median [m]; every rank reads the same samples.

        Raises:
            ValueError: If the model predicts no metric depth.
        """
        if runner.iter > 0 or runner._load_from is not None:
            return
        data = runner.train_dataloader.dataset
        step = max(1, len(data) // self.samples)
        targets = [data[index]['data_samples'] for index in range(0, len(data), step)]
        depths = [x.gt_depth_map.data.flatten() for x in targets if 'gt_depth_map' in x]
        valid = torch.cat(
            [depth[depth.isfinite() & (depth > 0)] for depth in depths or [torch.empty(0)]]
        )
        if len(valid):
            median = float(valid.median())
            depth_head_of(runner.model).start_at(median)
            print_log(f'the depth head starts at the median depth, {median:.3g} m', 'current')
