"""Draw predictions of a test or a validation beside the ground truth."""

from collections.abc import Sequence
from pathlib import Path

import mmcv
import numpy as np
from mmengine.dist import is_main_process
from mmengine.fileio import get
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.structures import SegDataSample

from mmdpt.evaluation import align_depth
from mmdpt.evaluation.depth_metric import LEAST_PIXELS
from mmdpt.registry import HOOKS
from mmdpt.visualization import depth_panel, segmentation_panel
from mmdpt.visualization.depth import RELATIVE, colourise_normals
from mmdpt.visualization.tiling import below, beside

from .output_names import OutputHook


@HOOKS.register_module()
class ComparisonHook(OutputHook):
    """Write image | ground truth | prediction | error of every test image.

    If there are labels and depth, the depth is drawn below. Relative disparity is drawn as depth,
    after a least-squares fit to the ground truth.
    """

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[SegDataSample]
    ) -> None:
        """Draw the samples of a batch."""
        metainfo = runner.test_dataloader.dataset.metainfo
        for sample in outputs:
            path = self.names.path(sample.img_path, '.png')
            _write([_comparison(sample, metainfo)], path)


@HOOKS.register_module()
class ValidationPictureHook(Hook):
    """After each validation, write one picture of its first images, drawn as a test draws them.

    The picture is ``pictures/iter_N.png`` in the work dir; the log says so.
    """

    priority = 'ABOVE_NORMAL'  # before the metrics are logged

    def __init__(self, images: int = 4) -> None:
        self.images = images

    def before_val_epoch(self, runner: Runner) -> None:
        """Begin a picture."""
        self.panels: list[np.ndarray] = []

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[SegDataSample]
    ) -> None:
        """Draw the samples of a batch, until there are enough."""
        if not is_main_process():
            return
        metainfo = runner.val_dataloader.dataset.metainfo
        missing = self.images - len(self.panels)
        self.panels += [_comparison(sample, metainfo) for sample in outputs[:missing]]

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the picture."""
        if self.panels:
            path = Path(runner.work_dir) / 'pictures' / f'iter_{runner.iter}.png'
            _write(self.panels, path)
            runner.logger.info(f'picture of the validation: {path}')


def _comparison(sample: SegDataSample, metainfo: dict) -> np.ndarray:
    """Draw image | ground truth | prediction | error, labels above depth.

    Where the predicted labels say sky, whose depth nothing trains, the predicted depth is black.
    """
    image = mmcv.imfrombytes(get(sample.img_path), channel_order='rgb')
    panels, sky = [], np.zeros(image.shape[:2], bool)
    if 'pred_sem_seg' in sample:
        labels = sample.pred_sem_seg.data[0].long().cpu().numpy()
        truth = _read(sample, 'gt_sem_seg')
        panels.append(segmentation_panel(image, truth, labels, metainfo['palette']))
        if 'sky' in metainfo['classes']:
            sky = labels == metainfo['classes'].index('sky')
    if 'pred_depth_map' in sample:
        panels.append(_depth_comparison(image, sample, sky))
    if 'pred_normals_map' in sample:
        maps = [sample.get(f'{x}_normals_map') for x in ('gt', 'pred')]
        vectors = [each.data.permute(1, 2, 0).cpu().numpy() for each in maps if each is not None]
        panels.append(beside([image, *map(colourise_normals, vectors)]))
    return below(panels)


def _depth_comparison(image: np.ndarray, sample: SegDataSample, sky: np.ndarray) -> np.ndarray:
    prediction = sample.pred_depth_map.data[0].float().cpu().numpy()
    truth = _read(sample, 'gt_depth_map')
    output = sample.depth_output
    valid = np.zeros_like(prediction, bool) if truth is None else np.isfinite(truth + prediction)
    if valid.sum() < (LEAST_PIXELS if output == 'relative' else 1):
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
    return depth_panel(image, truth, np.where(sky, np.nan, depth))


def _read(sample: SegDataSample, name: str) -> np.ndarray | None:
    return sample.get(name).data[0].cpu().numpy() if name in sample else None


def _write(panels: Sequence[np.ndarray], path: Path) -> None:
    mmcv.imwrite(mmcv.rgb2bgr(below(panels)), str(path))
