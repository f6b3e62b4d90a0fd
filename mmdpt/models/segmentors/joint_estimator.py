"""One encoder with a segmentation and a depth head, trained on whichever labels there are."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor

from mmdpt.models.layers.reassemble import Tap
from mmdpt.registry import MODELS

from .depth_inference import average_with_mirror_image, store_depth, whole_or_slide
from .encoder_decoder import EncoderDecoder


@MODELS.register_module()
class JointEstimator(EncoderDecoder):
    """Segment and estimate depth from the same taps.

    In training each head sees the samples of a batch that carry its label, ``gt_sem_seg`` or
    ``gt_depth_map``, and its loss is what a model of that task alone has on them. Where a batch
    has none, the head runs all the same, against labels that are ignored throughout (255, NaN):
    its loss and gradients are zero, and no process of a DDP training waits for another's
    gradients. The losses' own ``loss_weight`` balances the tasks.

    ``test_cfg``: ``mode`` 'whole' or 'slide' (with ``crop_size`` and ``stride`` [px]), ``flip``
    True to average logits and depth with those of the mirrored image; ``resize_mode`` and
    ``resize_align_corners`` of the depth, as of ``DepthEstimator``.

    Args:
        backbone: Config of the encoder; it runs once an image or window.
        decode_head: Config of the segmentation head.
        depth_head: Config of the depth head.
        **kwargs: Arguments of mmseg's ``EncoderDecoder``.
    """

    def __init__(self, backbone: dict, decode_head: dict, depth_head: dict, **kwargs: Any) -> None:
        super().__init__(backbone, decode_head, **kwargs)
        self.depth_head = MODELS.build(depth_head)
        # of encode_decode; mmseg's slide inference adds up as many channels
        self.out_channels = self.decode_head.out_channels + self.depth_head.out_channels

    def loss(self, inputs: Tensor, data_samples: list) -> dict:
        """Compute segmentation losses, 'decode.loss_ce', and depth losses, 'depth.loss_silog'.

        Accuracies are left out where no sample has labels: mmseg's would be 100 %.
        """
        taps = self.extract_feat(inputs)
        size = inputs.shape[-2:]

        no_labels = torch.full((1, *size), self.decode_head.ignore_index, device=inputs.device)
        labelled = labelled_part(taps, data_samples, 'gt_sem_seg', no_labels)
        losses = self._decode_head_forward_train(*labelled)
        if self.with_auxiliary_head:
            losses.update(self._auxiliary_head_forward_train(*labelled))
        if not any('gt_sem_seg' in sample for sample in data_samples):
            losses = {name: value for name, value in losses.items() if 'loss' in name}

        no_depth = torch.full((1, *size), torch.nan, device=inputs.device)
        with_depth = labelled_part(taps, data_samples, 'gt_depth_map', no_depth)
        depth_losses = self.depth_head.loss(*with_depth, self.train_cfg)
        return {**losses, **add_prefix(depth_losses, 'depth')}

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Predict as ``encode_decode`` does, the whole image or window by window.

        Raises:
            ValueError: If ``test_cfg.mode`` is neither 'whole' nor 'slide'.
        """
        return whole_or_slide(self, inputs, batch_img_metas)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Predict (N, classes + 1, H, W): class logits, then the depth in its head's unit.

        One tensor, so that mmseg's sliding windows average both in one pass of the encoder.
        """

        def predict(images: Tensor) -> Tensor:
            taps = self.extract_feat(images)
            logits = self.decode_head.predict(taps, batch_img_metas, self.test_cfg)
            depth = self.depth_head.predict(taps, batch_img_metas, self.test_cfg)
            return torch.cat((logits, depth), dim=1)

        return average_with_mirror_image(predict, inputs, self.test_cfg)

    def postprocess_result(self, outputs: Tensor, data_samples: list | None = None) -> list:
        """Give ``pred_sem_seg`` and ``pred_depth_map`` as the models of one task.

        Args:
            outputs: Logits and depth, (N, classes + 1, H, W).
            data_samples: Samples to fill, resized to their original images; None for new ones.
        """
        logits, depth = outputs.split((self.out_channels - 1, 1), dim=1)
        samples = super().postprocess_result(logits, data_samples)
        store_depth(depth, self.depth_head, samples, self.test_cfg, resize=data_samples is not None)
        return samples

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> tuple[Tensor, Tensor]:
        """Predict logits and depth as the heads give them."""
        taps = self.extract_feat(inputs)
        return self.decode_head(taps), self.depth_head(taps)


def labelled_part(
    taps: Sequence[Tap], samples: list[SegDataSample], name: str, ignored: Tensor
) -> tuple[Sequence[Tap], list[SegDataSample]]:
    """Select the taps and samples with the label ``name``; all with ``ignored`` if none has it."""
    rows = [row for row, sample in enumerate(samples) if name in sample]
    if not rows:
        filled = [sample.clone() for sample in samples]
        for sample in filled:
            sample.set_data({name: PixelData(data=ignored)})
        return taps, filled
    if len(rows) == len(samples):
        return taps, samples
    index = torch.tensor(rows, device=ignored.device)
    return [_rows_of(tap, index) for tap in taps], [samples[row] for row in rows]


def _rows_of(tap: Tap, index: Tensor) -> Tap:
    if isinstance(tap, Tensor):
        return tap[index]  # stays channels-last, other than by index_select
    feature, readout = tap
    return feature[index], None if readout is None else readout[index]
