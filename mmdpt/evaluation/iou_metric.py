"""mmseg's segmentation metrics, counted exactly and in a fraction of the time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from mmseg.evaluation import IoUMetric as MMSegIoUMetric
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.registry import METRICS

METRIC_NAMES = ('mIoU', 'mDice', 'mFscore')


@METRICS.register_module()
class IoUMetric(MMSegIoUMetric):
    """mmseg's IoUMetric on whole numbers of pixels.

    mmseg counts and adds up in float32, which is exact to 2^24 pixels, 32 images of 1024 x 512:
    beyond, the sums depend on the order of the images and so on the number of processes. Images
    whose ``seg_map_path`` is None have no labels and count nothing; without any labelled pixel
    there are no metrics. ``metrics['IoU']`` has the values of each class by name.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.metrics:
            if name not in METRIC_NAMES:
                raise InputError(f'iou_metrics may have {list(METRIC_NAMES)}, got {name!r}')
        self._written: dict[str, str] = {}
        if self.output_dir:  # mmseg's rank 0 alone makes it, and the others may be faster
            Path(self.output_dir).mkdir(parents=True, exist_ok=True)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count the pixels of a batch, see mmseg.

        Raises:
            InputError: If the pipeline has not loaded an image's labels, or ``output_dir`` would
                get two files of one name.
        """
        for sample in data_samples:
            if self.output_dir:  # named by the stem alone, as in mmseg
                path = str(sample['img_path'])
                first = self._written.setdefault(Path(path).stem, path)
                if first != path:
                    raise InputError(
                        f'{first} and {path} would be one file in {self.output_dir}; '
                        'tools/test.py --out keeps both'
                    )
            if 'gt_sem_seg' not in sample and not self.format_only:
                if sample.get('seg_map_path'):
                    raise InputError(
                        f'{sample["img_path"]}: the pipeline has not loaded the label '
                        f'{sample["seg_map_path"]}: it needs LoadAnnotations'
                    )
                prediction = sample['pred_sem_seg']['data']
                ignored = dict(data=torch.full_like(prediction, self.ignore_index))
                sample = {**sample, 'gt_sem_seg': ignored}
            super().process(data_batch, [sample])

    def compute_metrics(self, results: list) -> dict[str, Any]:
        """Give mmseg's metrics and, by the name of each class, those of the classes."""
        areas = [sum(column) for column in zip(*results, strict=True)]
        if areas and not areas[-1].any():
            print_log('no image has a labelled pixel: there are no metrics', logger='current')
            return {}
        metrics = super().compute_metrics([tuple(areas)] if areas else [])
        if areas:
            rows = self.total_area_to_metrics(*areas, self.metrics, self.nan_to_num, self.beta)
            for name, row in rows.items():
                if name != 'aAcc':
                    values = (100 * np.asarray(row)).round(2).tolist()
                    metrics[name] = dict(zip(self.dataset_meta['classes'], values, strict=True))
        return metrics

    @staticmethod
    def intersect_and_union(
        pred_label: Tensor, label: Tensor, num_classes: int, ignore_index: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Count the pixels of each of C classes, where the label is not ``ignore_index``.

        Both maps are (H, W); values of the label that are no class count as no class. Gives
        intersection, union, predicted, labelled: each (C,) float64 on the CPU, whole numbers.
        """
        # one histogram of pairs; 'no class' is C, 'ignored' C + 1
        ignored = label == ignore_index
        labelled = _numbered(label.masked_fill(ignored, 0), num_classes)
        pairs = labelled.masked_fill(ignored, num_classes + 1).mul_(num_classes + 1)
        pairs = pairs.add_(_numbered(pred_label, num_classes)).flatten()
        size = (num_classes + 2) * (num_classes + 1)
        counts = pairs.bincount(minlength=size).double().cpu().view(num_classes + 2, -1)
        evaluated = counts[: num_classes + 1]
        intersection = evaluated.diagonal()[:num_classes]
        of_prediction = evaluated.sum(dim=0)[:num_classes]
        of_label = evaluated.sum(dim=1)[:num_classes]
        return intersection, of_prediction + of_label - intersection, of_prediction, of_label


def _numbered(labels: Tensor, num_classes: int) -> Tensor:
    """Give int64 labels, C where there is no class."""
    labels = labels.long()
    if not labels.numel():
        return labels
    least, greatest = labels.aminmax()
    if least >= 0 and greatest < num_classes:
        return labels
    return torch.where((labels >= 0) & (labels < num_classes), labels, num_classes)
