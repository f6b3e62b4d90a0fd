"""The decoder of every DPT head, and the segmentation head on it (arXiv:2103.13413, section 3)."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.losses import accuracy
from mmseg.structures import SegDataSample
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.models.layers.fusion import Fusion, convolve_upsampled, double_size
from mmdpt.models.layers.reassemble import FusedTaps, Reassemble, Tap
from mmdpt.models.layers.relu_dropout import ReLUDropout
from mmdpt.models.losses.upsampled_cross_entropy import (
    is_plain,
    learns_one_logit,
    upsampled_cross_entropies,
)
from mmdpt.registry import MODELS


class DPTDecoder(BaseModule):
    """Reassemble the taps and fuse them coarse to fine: what every DPT head begins with.

    Args:
        embed_dims: Channels of the taps, one number or one per tap.
        reassemble_channels: Channels of each tap between its projection and the fusion; None for a
            tap that needs neither readout nor projection nor resampling.
        reassemble_scales: Factors from each tap's grid to its map's.
        readout_type: What becomes of the readout token: 'ignore', 'add', 'project' or
            'project-tanh'.
        patch_size: Image pixels per cell of the first tap's grid.
        channels: Channels of the fusion.
        norm_cfg: Normalisation in the fusion, None for none.
        conv_bias: Bias in the fusion's 3x3 convolutions. None: where there is no normalisation.
        resized: What the fusion resizes where sizes differ, 'path' or 'skip', see ``Fusion``.
        **kwargs: Arguments of the head's other base class; mmseg's gets ``channels`` and
            ``norm_cfg``, too.

    Raises:
        ValueError: If a reassemble setting does not fit.
    """

    align_corners: bool

    def __init__(
        self,
        embed_dims: int | Sequence[int] = 768,
        reassemble_channels: Sequence[int | None] = (96, 192, 384, 768),
        reassemble_scales: Sequence[float] = (4, 2, 1, 0.5),
        readout_type: str = 'project',
        patch_size: int = 16,
        channels: int = 256,
        norm_cfg: dict | None = None,
        conv_bias: bool | None = None,
        resized: str = 'path',
        **kwargs: Any,
    ) -> None:
        if isinstance(self, BaseDecodeHead):
            kwargs.update(
                channels=channels, norm_cfg=norm_cfg,
                in_channels=channels, in_index=-1, input_transform=None, **kwargs,
            )  # fmt: skip
        super().__init__(**kwargs)
        self.reassemble = Reassemble(
            embed_dims, reassemble_channels, channels, reassemble_scales, readout_type
        )
        self.fusion = Fusion(channels, len(reassemble_channels), norm_cfg, conv_bias, resized)
        self.channels = channels
        self.patch_size = patch_size
        self.output_stride = stride_of(patch_size, reassemble_scales[0])

    def fuse(self, taps: Sequence[Tap]) -> tuple[Tensor, Tensor]:
        """Give the last fusion map before its upsampling, and the penultimate one.

        Returns:
            Both (N, C, H_0, W_0), of the size of the finest reassembled map.
        """
        if isinstance(taps, FusedTaps):
            return taps.fused, taps.penultimate
        return self.fusion.fuse_to_finest(self.reassemble(taps))

    def upsample(self, maps: Tensor, size: Sequence[int], stride: Fraction) -> Tensor:
        """Upsample maps by ``stride`` and cut off what the backbone padded beyond ``size``."""
        padded = self.padded_size(maps, size, stride)
        maps = F.interpolate(maps, size=padded, mode='bilinear', align_corners=self.align_corners)
        return cut_to(maps, size)

    def padded_size(self, maps: Tensor, size: Sequence[int], stride: Fraction) -> Sequence[int]:
        """Give the size of the image padded to the patch [px], of which ``size`` is a part.

        Where skips are resized, maps cover more cells than the image; there, the first tap's grid
        must be that of the patches.
        """
        if self.fusion.resized == 'path':
            return padded_size(maps.shape[-2:], stride)
        patch = self.patch_size  # ONNX divides towards zero: no negative numbers
        return [(side + patch - 1) // patch * patch for side in size]


class AuxiliaryOutput(BaseModule):
    """Classify the penultimate fusion map, in training only."""

    def __init__(
        self, channels: int, out_channels: int, norm_cfg: dict | None, dropout_ratio: float
    ) -> None:
        super().__init__(dict(type='Normal', std=0.01, override=dict(name='conv_seg')))
        self.project = ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg, act_cfg=None)
        self.dropout = ReLUDropout(dropout_ratio)
        self.conv_seg = nn.Conv2d(channels, out_channels, kernel_size=1)

    def forward(self, fused: Tensor) -> Tensor:
        return in_float32(self.conv_seg(self.dropout(self.project(fused))))


@MODELS.register_module()
class DPTHead(DPTDecoder, BaseDecodeHead):
    """Reassemble the taps, fuse them coarse to fine, classify every pixel.

    Args:
        num_classes: Number of classes. Two may share one logit: ``out_channels=1``, a loss with
            ``use_sigmoid=True``, and ``threshold``, the probability above which a pixel is of
            class 1 (0.3 by default, as in mmseg).
        dropout_ratio: Element-wise dropout before the classifier.
        auxiliary_weight: Weight of the loss on the penultimate fusion map. 0: no such output.
        align_corners: Whether upsampling to the image aligns corners.
        **kwargs: Arguments of ``DPTDecoder`` (``embed_dims``, ``reassemble_channels``,
            ``readout_type``, ``channels``, ...), whose ``norm_cfg`` is the output's, too; and
            ``act_cfg`` (None: no ReLU before the classifier, as TIPSv2), ``loss_decode``,
            ``sampler``, ``ignore_index`` and ``init_cfg`` of mmseg's ``BaseDecodeHead``.

    Raises:
        ValueError: If ``auxiliary_weight`` is negative, or a reassemble setting does not fit.
        InputError: If a loss does not train one logit, as the softmax of one or mmseg's DiceLoss,
            the threshold is no probability, or ``act_cfg`` is another activation.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        dropout_ratio: float = 0.1,
        auxiliary_weight: float = 0.0,
        align_corners: bool = True,
        **kwargs: Any,
    ) -> None:
        if auxiliary_weight < 0:
            raise ValueError(f'auxiliary_weight must not be negative, got {auxiliary_weight}')
        super().__init__(
            num_classes=num_classes,
            dropout_ratio=0,  # mmseg's drops whole channels; the reference drops elements
            align_corners=align_corners,
            **kwargs,
        )
        for loss in self._criteria() if self.out_channels == 1 else ():
            if not learns_one_logit(loss):
                raise InputError(
                    f'{type(loss).__name__} does not train one logit: out_channels=1 needs '
                    "dict(type='CrossEntropyLoss', use_sigmoid=True)"
                )
        if self.out_channels == 1 and not 0 < self.threshold < 1:
            raise InputError(f'threshold must be between 0 and 1, got {self.threshold}')
        if (self.act_cfg or {}).get('type', 'ReLU') != 'ReLU':
            raise InputError(f'act_cfg must be None or ReLU, got {self.act_cfg}')
        channels, norm_cfg = self.channels, self.norm_cfg
        self.project = ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg, act_cfg=None)
        activates = self.act_cfg is not None
        self.dropout = ReLUDropout(dropout_ratio) if activates else nn.Dropout(dropout_ratio)
        self.auxiliary_weight = auxiliary_weight
        if auxiliary_weight > 0:
            self.auxiliary = AuxiliaryOutput(channels, self.out_channels, norm_cfg, dropout_ratio)

    def forward(self, taps: Sequence[Tap]) -> Tensor:
        """Predict logits (N, classes, H / 2, W / 2) of the image padded to the patch."""
        fused, _ = self.fuse(taps)
        return self._classify(fused)

    def _classify(self, fused: Tensor) -> Tensor:
        """Predict logits at twice the size of the last fusion map before its upsampling."""
        x = convolve_upsampled(self.project.conv, fused, double_size(fused))
        if self.project.with_norm:
            x = self.project.norm(x)
        return in_float32(self.conv_seg(self.dropout(x)))

    def loss(self, taps: Sequence[Tap], batch_data_samples: list, train_cfg: dict | None) -> dict:
        """Compute the losses, those of the auxiliary output under names with ``aux_``."""
        fused, penultimate = self.fuse(taps)
        losses = self.loss_by_feat(self._classify(fused), batch_data_samples)
        if self.auxiliary_weight > 0:
            auxiliary = self.loss_by_feat(
                self.auxiliary(penultimate), batch_data_samples, 2 * self.output_stride
            )
            for name, value in auxiliary.items():
                weight = self.auxiliary_weight if 'loss' in name else 1
                losses[f'aux_{name}'] = weight * value
        return losses

    def _criteria(self) -> list[Any]:
        several = isinstance(self.loss_decode, nn.ModuleList)
        return list(self.loss_decode) if several else [self.loss_decode]

    def loss_by_feat(
        self, seg_logits: Tensor, batch_data_samples: list, stride: Fraction | None = None
    ) -> dict:
        """Compute mmseg's losses on logits upsampled to the labels.

        Args:
            seg_logits: (N, classes, h, w) of the padded image.
            batch_data_samples: Samples with ``gt_sem_seg`` (1, H, W).
            stride: Image pixels per logit, the head's output stride by default.
        """
        check_truth(batch_data_samples, 'gt_sem_seg')
        label = self._stack_batch_gt(batch_data_samples)
        stride = stride or self.output_stride
        criteria = self._criteria()
        if self.sampler is None and all(is_plain(criterion) for criterion in criteria):
            size = self.padded_size(seg_logits, label.shape[-2:], stride)
            return upsampled_cross_entropies(
                criteria, seg_logits, label.squeeze(1), size, self.align_corners, self.ignore_index
            )
        logits = self.upsample(seg_logits, label.shape[-2:], stride)
        weight = None if self.sampler is None else self.sampler.sample(logits, label)
        label = label.squeeze(1)
        losses: dict[str, Tensor] = {}
        for criterion in criteria:
            value = criterion(logits, label, weight=weight, ignore_index=self.ignore_index)
            name = str(criterion.loss_name)
            losses[name] = losses.get(name, 0) + value
        if logits.shape[1] == 1:  # the logit of class 0 is where the threshold is
            limit = torch.logit(torch.tensor(float(self.threshold)))
            logits = torch.cat((limit.to(logits).expand_as(logits), logits), dim=1)
        losses['acc_seg'] = accuracy(logits, label, ignore_index=self.ignore_index)
        return losses

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Upsample logits to the size of the network's input, (N, classes, H, W)."""
        return self.upsample(seg_logits, input_size(batch_img_metas[0]), self.output_stride)


def build_losses(cfg: dict | Sequence[dict]) -> nn.ModuleList:
    """Build one loss or several."""
    return nn.ModuleList(MODELS.build(loss) for loss in ([cfg] if isinstance(cfg, dict) else cfg))


def sum_losses(criteria: Iterable[Any], pred: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Compute each loss; those of one name are added."""
    losses: dict[str, Tensor] = {}
    for criterion in criteria:
        name = str(criterion.loss_name)
        losses[name] = losses.get(name, 0) + criterion(pred, target)
    return losses


def check_truth(samples: Sequence[SegDataSample], name: str) -> None:
    """Raise an InputError that names the first sample without the ground truth ``name``."""
    for sample in samples:
        if name not in sample:
            raise InputError(
                f'{sample.get("img_path", "a sample")} has no {name} to train on: does the data '
                'set list it, and the pipeline load it?'
            )


def in_float32(x: Tensor) -> Tensor:
    """Raise a half-precision tensor to float32; its 8 or 11 bits are too few for what follows."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def stride_of(patch_size: int, scale: float) -> Fraction:
    """Give the image pixels a cell of the fused map: half a cell of the first tap's map.

    Args:
        patch_size: Image pixels per cell of the first tap's grid.
        scale: Factor from that grid to its map's, s, 1 or 1/s with integer s.
    """
    return Fraction(patch_size) / (2 * Fraction(scale).limit_denominator(patch_size))


def padded_size(output_size: Sequence[int], stride: Fraction) -> tuple[int, int]:
    """Give the size of the padded image [px] from that of an output with ``stride`` px a cell.

    In integers, which a graph for any size can hold.
    """
    height, width = output_size
    pixels, cells = stride.numerator, stride.denominator
    return height * pixels // cells, width * pixels // cells


def input_size(meta: dict) -> tuple[int, int]:
    """Give the size of the network's input [px] from an image's meta information."""
    if isinstance(meta['img_shape'], torch.Size):  # mmseg's slide inference: its window
        height, width = meta['img_shape']
    else:
        height, width = meta.get('pad_shape', meta['img_shape'])[:2]
    return height, width


def cut_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """Cut maps (N, C, H, W) off at the bottom and right: what the backbone padded.

    A slice of an exported graph would hold whether it leaves anything out, as its example did.
    """
    height, width = size
    return x[..., :height, :width]
