"""Fit the scale of predicted depths to a data set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.structures import SegDataSample

from mmdpt.errors import InputError
from mmdpt.registry import HOOKS
from mmdpt.training.wrapped_model import depth_head_of

PIXELS = 2000
"""Pixels of an image that count."""


@HOOKS.register_module()
class CalibrationHook(Hook):
    """After a test, write the checkpoint with its depths multiplied by what makes AbsRel least.

    The factor goes into the head's last layer: predictions, exports and conversions carry it. The
    test's own metrics are those before.

    Args:
        out_file: The checkpoint to write.
    """

    def __init__(self, out_file: str) -> None:
        self.out_file = Path(out_file)
        self.ratios: list[np.ndarray] = []

    def before_test(self, runner: Runner) -> None:
        """Refuse a model whose depths cannot be multiplied, before a long test.

        Raises:
            InputError: If the model predicts no depth, or none that its last layer can scale.
        """
        try:
            depth_head_of(runner.model).multiply_depth(1.0)
        except ValueError as error:
            raise InputError(f'the checkpoint cannot be calibrated: {error}') from error

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[SegDataSample]
    ) -> None:
        """Keep truth / prediction at pixels spread over the valid ones."""
        for sample in outputs:
            pred, truth = (
                getattr(sample, name).data.squeeze().double().cpu().numpy()
                for name in ('pred_depth_map', 'gt_depth_map')
            )
            if sample.depth_output == 'disparity':
                pred = 1 / np.maximum(pred, 1e-8)
            valid = np.isfinite(truth) & (truth > 0) & (pred > 0)
            ratio = truth[valid] / pred[valid]
            self.ratios.append(ratio[:: max(1, len(ratio) // PIXELS)])

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Fit, log and write.

        Raises:
            InputError: If no image has a valid pixel, or the file cannot be written.
        """
        ratios = [x for part in all_gather_object(self.ratios) for x in part if len(x)]
        if not ratios:
            raise InputError('there is no valid depth to calibrate with')
        factor = least_abs_rel_factor(ratios)
        before, after = (
            np.mean([np.abs(scale / x - 1).mean() for x in ratios]) for scale in (1, factor)
        )
        depth_head_of(runner.model).multiply_depth(factor)
        runner.save_checkpoint(
            str(self.out_file.parent), self.out_file.name, save_optimizer=False,
            save_param_scheduler=False, by_epoch=False,
        )  # fmt: skip
        runner.logger.info(
            f'calibrated on {len(ratios)} images: every depth times {factor:.4f} takes AbsRel from '
            f'{before:.4f} to {after:.4f} on them; {self.out_file} predicts so'
        )


def least_abs_rel_factor(ratios: Sequence[np.ndarray]) -> float:
    """Give s with the least ``mean |s pred - truth| / truth``, every image weighing alike.

    The error is ``|s - r| / r`` with r = truth / pred: s is a median of r with weights 1 / r.

    Args:
        ratios: truth / pred of each image's pixels, (M,), positive.
    """
    values = np.concatenate(ratios)
    weights = np.concatenate([1 / x / len(x) for x in ratios])
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(share, share[-1] / 2)])
