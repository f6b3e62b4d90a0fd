"""Draw predictions of a test beside the ground truth."""

from collections.abc import Sequence

import mmcv
import numpy as np
from mmengine.fileio import get
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.structures import SegDataSample

from mmdpt.evaluation import align_depth
from mmdpt.registry import HOOKS
from mmdpt.visualization import depth_panel, segmentation_panel
from mmdpt.visualization.depth import RELATIVE
from mmdpt.visualization.layout import below

from .output_names import OutputNames


@HOOKS.register_module()
class ComparisonHook(Hook):
    """Write image | ground truth | prediction | error of every test image.

    If there are labels and depth, the depth is drawn below. Relative disparity is drawn as depth,
    after a least-squares fit to the ground truth.

    Args:
        out_dir: Folder for one PNG an image, named as the image.
    """

    def __init__(self, out_dir: str) -> None:
        self.out_dir = out_dir

    def before_test(self, runner: Runner) -> None:
        """Name the pictures."""
        self.names = OutputNames(self.out_dir, runner.test_dataloader.dataset)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[SegDataSample]
    ) -> None:
        """Draw the samples of a batch."""
        metainfo = runner.test_dataloader.dataset.metainfo
        for sample in outputs:
            image = mmcv.imfrombytes(get(sample.img_path), channel_order='rgb')
            panels = []
            if 'pred_sem_seg' in sample:
                panels.append(
                    segmentation_panel(
                        image,
                        _read(sample, 'gt_sem_seg'),
                        sample.pred_sem_seg.data.squeeze().cpu().numpy(),
                        metainfo['palette'],
                    )
                )
            if 'pred_depth_map' in sample:
                panels.append(self._depth(image, sample))
            path = self.names.path(sample.img_path, '.png')
            mmcv.imwrite(mmcv.rgb2bgr(below(panels)), str(path))

    @staticmethod
    def _depth(image: np.ndarray, sample: SegDataSample) -> np.ndarray:
        prediction = sample.pred_depth_map.data.squeeze().float().cpu().numpy()
        truth = _read(sample, 'gt_depth_map')
        output = sample.depth_output
        valid = np.zeros_like(prediction, bool) if truth is None else np.isfinite(truth)
        if not valid.any():
            return depth_panel(image, None, prediction, sample.depth_unit or RELATIVE)
        assert truth is not None
        depth = align_depth(
            prediction,
            truth,
            valid,
            alignment='lstsq' if output == 'relative' else 'none',
            output=output,
            min_depth=float(truth[valid].min()),
            max_depth=float(truth[valid].max()),
        )
        return depth_panel(image, truth, depth)


def _read(sample: SegDataSample, name: str) -> np.ndarray | None:
    return sample.get(name).data.squeeze().cpu().numpy() if name in sample else None
