"""The models that predict depth: alone, or beside classes from the same encoder."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.models.segmentors import DepthEstimator as MMSegDepthEstimator
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor

from mmdpt.errors import check_choice
from mmdpt.models.decode_heads.depth_dpt_head import DepthDPTHead
from mmdpt.models.decode_heads.depth_output import LEAST_SKY
from mmdpt.models.layers.reassemble import FusedTaps, Tap
from mmdpt.registry import MODELS

from .encoder_decoder import EncoderDecoder, as_seen, fit_head

RESIZE_MODES = ('bilinear', 'bicubic')


@MODELS.register_module()
class DepthDataPreProcessor(SegDataPreProcessor):
    """mmseg's SegDataPreProcessor, whose padding of ``gt_depth_map`` is invalid: NaN.

    mmseg pads depth with ``seg_pad_val``, by default a depth of 255 m. Label maps are still padded
    with it.
    """

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Normalise, pad and stack a batch; in training, pad its ground truth alike."""
        batch = super().forward(data, training)
        if training:
            for sample in batch['data_samples']:
                if 'gt_depth_map' in sample:
                    _, right, _, bottom = sample.padding_size
                    depth = sample.gt_depth_map.data
                    height, width = depth.shape[-2:]
                    depth[..., height - bottom :, :] = float('nan')
                    depth[..., width - right :] = float('nan')
        return batch


@MODELS.register_module()
class DepthEstimator(EncoderDecoder, MMSegDepthEstimator):
    """mmseg's DepthEstimator, whose slide inference is used and whose result has a unit.

    mmseg computes the sliding windows and then overwrites them by a whole-image inference.

    ``test_cfg``: ``mode`` 'whole' or 'slide' (with ``crop_size`` and ``stride`` [px]), ``flip``
    True to average with the mirrored image ('slide_flip', mmseg's word, is both);
    ``resize_mode`` 'bilinear' (the default, as mmseg) or 'bicubic' (isl-org/DPT, transformers) and
    ``resize_align_corners`` (default False; True in Depth Anything V2) for the way to the original
    image, where bicubic overshoot ends at 0 or the head's ``clamp``.
    """

    modes = (*EncoderDecoder.modes, 'slide_flip')

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Predict one window or image, averaged with its mirror image under ``flip``."""

        def predict(images: Tensor) -> Tensor:
            taps = self.extract_feat(images, batch_img_metas)
            return self.decode_head.predict(taps, batch_img_metas, self.test_cfg)

        return average_with_mirror_image(predict, inputs, self.test_cfg)

    def postprocess_result(self, depth: Tensor, data_samples: list | None = None) -> list:
        """Resize to the original images; the samples' meta says output, unit, whether metric.

        Raises:
            ValueError: If ``test_cfg.resize_mode`` is neither 'bilinear' nor 'bicubic'.
        """
        samples = [SegDataSample() for _ in depth] if data_samples is None else data_samples
        store_depth(
            depth, self.decode_head, samples, self.test_cfg, resize=data_samples is not None
        )
        return samples


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
        share_decoder: Whether the depth head predicts from the segmentation head's fused map, so
            that reassemble and fusion run, and are stored, once.
        **kwargs: Arguments of mmseg's ``EncoderDecoder``.
    """

    def __init__(
        self,
        backbone: dict,
        decode_head: dict,
        depth_head: dict,
        share_decoder: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone, decode_head, **kwargs)
        self.depth_head = MODELS.build(fit_head(depth_head, self.backbone))
        self.share_decoder = share_decoder
        for name in ('reassemble', 'fusion') if share_decoder else ():
            delattr(self.depth_head, name)  # known there, but registered in one place
            object.__setattr__(self.depth_head, name, getattr(self.decode_head, name))

    def extract_feat(self, inputs: Tensor) -> Sequence[Tap]:
        """Encode images; fuse the taps, too, if the heads share that."""
        taps = super().extract_feat(inputs)
        return FusedTaps(taps, *self.decode_head.fuse(taps)) if self.share_decoder else taps

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
        """Give ``pred_sem_seg`` and ``pred_depth_map`` as the models of one task do.

        The outputs are logits and depth, (N, classes + 1, H, W).
        """
        logits, depth = outputs.tensor_split((self.decode_head.out_channels,), dim=1)
        samples = super().postprocess_result(logits, data_samples)
        store_depth(depth, self.depth_head, samples, self.test_cfg, resize=data_samples is not None)
        return samples

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> tuple[Tensor, Tensor]:
        """Predict logits and depth as the heads give them."""
        taps = self.extract_feat(inputs)
        return self.decode_head(taps), self.depth_head(taps)


def average_with_mirror_image(
    predict: Callable[[Tensor], Tensor], inputs: Tensor, test_cfg: dict | None
) -> Tensor:
    """Predict an image or window; under ``test_cfg.flip``, averaged with its mirror image."""
    prediction = predict(inputs)
    cfg = test_cfg or {}
    if not (cfg.get('flip', False) or cfg.get('mode') == 'slide_flip'):
        return prediction
    return (prediction + predict(inputs.flip(-1)).flip(-1)) / 2


def store_depth(
    depth: Tensor,
    head: DepthDPTHead,
    data_samples: Sequence[SegDataSample],
    test_cfg: dict | None = None,
    resize: bool = True,
) -> None:
    """Put ``pred_depth_map``, (1, H, W), into the samples; their meta says what it is.

    Of a head with ``sky``, ``pred_sky_map``, bool (1, H, W), says which pixels are sky.

    The meta: ``depth_output``, ``depth_unit`` and ``is_metric`` of the head. The depth, as
    ``DepthDPTHead.predict`` gives it, has the size of the network's input. ``resize`` undoes
    padding and flip as the samples' meta tells them, and resizes to the original images as
    ``resize_mode`` and ``resize_align_corners`` of the model's ``test_cfg`` say.

    Raises:
        ValueError: If ``test_cfg.resize_mode`` is neither 'bilinear' nor 'bicubic'.
    """
    for maps, sample in zip(depth, data_samples, strict=True):
        image, *sky = [
            as_original(each, sample.metainfo, head, test_cfg or {}) if resize else each
            for each in maps[:, None]
        ]
        sample.set_data(dict(pred_depth_map=PixelData(data=image)))
        if sky:
            sample.set_data(dict(pred_sky_map=PixelData(data=sky[0] >= LEAST_SKY)))
        sample.set_metainfo(
            dict(depth_output=head.output, depth_unit=head.unit, is_metric=head.is_metric)
        )


def as_original(depth: Tensor, meta: dict, head: Any, test_cfg: dict) -> Tensor:
    """Bring (C, H, W) to the original image.

    The reference, isl-org/DPT@cd3fe90 run_monodepth.py, keeps the cubic's overshoot. Here it ends
    at 0 or the head's ``clamp``: no depth is negative, a NaN stays one. Outside ``crop_box``, the
    part of the image that the network saw, the depth is NaN.
    """
    mode = test_cfg.get('resize_mode', 'bilinear')
    check_choice('test_cfg.resize_mode', mode, RESIZE_MODES)
    align_corners = test_cfg.get('resize_align_corners', head.align_corners)
    height, width = meta['ori_shape'][:2]
    top, bottom, left, right = meta.get('crop_box') or (0, height, 0, width)
    size = (bottom - top, right - left)
    depth = as_seen(depth, meta)
    depth = F.interpolate(depth[None], size, mode=mode, align_corners=align_corners)[0]
    if mode == 'bicubic':
        low, high = head.clamp
        depth = depth.clamp(0 if low is None else low, high)
    around = (left, width - right, top, height - bottom)
    return F.pad(depth, around, value=torch.nan) if any(around) else depth


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
    some: Sequence[Tap] = [_rows_of(tap, index) for tap in taps]
    if isinstance(taps, FusedTaps):
        some = FusedTaps(some, taps.fused[index], taps.penultimate[index])
    return some, [samples[row] for row in rows]


def _rows_of(tap: Tap, index: Tensor) -> Tap:
    if isinstance(tap, Tensor):
        return tap[index]  # stays channels-last, other than by index_select
    feature, readout = tap
    return feature[index], None if readout is None else readout[index]
