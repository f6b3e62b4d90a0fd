"""Test-time augmentation that keeps one augmentation's logits at a time."""

from typing import Any

import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel as MMSegSegTTAModel
from mmseg.structures import SegDataSample
from torch import Tensor

from mmdpt.registry import MODELS

ROWS_AT_ONCE = 64


@MODELS.register_module()
class SegTTAModel(MMSegSegTTAModel):
    """mmseg's average of the probabilities under flips and scales; the same labels.

    mmseg holds the full-resolution logits of every augmentation, then adds up: 37 GB for 12 of
    them, 150 classes and a 5 MP photograph. Here it is two such maps, the sum and the next. Where
    one channel stands for two classes, mmseg takes the sigmoid twice, here once.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.module.test_cfg.update(keep_logits=True)

    @torch.no_grad()
    def test_step(self, data: dict) -> list[SegDataSample]:
        """Predict a batch that is a list of augmentations under every key.

        Gives the samples of the last augmentation, with ``pred_sem_seg`` of all, (1, H, W), ground
        truth and path of the first.
        """
        firsts: list[SegDataSample] = []
        totals: list[Tensor] = []
        number = len(next(iter(data.values())))
        for index in range(number):
            samples = self.module.test_step({key: values[index] for key, values in data.items()})
            for position, sample in enumerate(samples):
                if not index:
                    totals.append(torch.zeros_like(sample.seg_logits.data))
                _add_probabilities(totals[position], sample.seg_logits.data)
                del sample.seg_logits  # before the next are made
            firsts = firsts or samples
        for first, sample, total in zip(firsts, samples, totals, strict=True):
            total /= number
            if len(total) == 1:
                labels = (total > self.module.decode_head.threshold).to(total)
            else:
                labels = total.argmax(dim=0, keepdim=True)
            sample.set_data(dict(pred_sem_seg=PixelData(data=labels)))
            if 'gt_sem_seg' in first:
                sample.set_data(dict(gt_sem_seg=first.gt_sem_seg))
            sample.set_metainfo(dict(img_path=first.img_path))
        return samples


def _add_probabilities(total: Tensor, logits: Tensor) -> None:
    """Add what logits (C, H, W) say, in place; a single channel is a probability already."""
    for rows, some in zip(
        total.split(ROWS_AT_ONCE, dim=1), logits.split(ROWS_AT_ONCE, dim=1), strict=True
    ):
        rows += some.softmax(dim=0) if len(some) > 1 else some
