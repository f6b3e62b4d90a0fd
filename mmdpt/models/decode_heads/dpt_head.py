"""DPT's segmentation head (arXiv:2103.13413, section 3.2 and figure 1)."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.losses import CrossEntropyLoss, accuracy
from mmseg.models.losses.cross_entropy_loss import cross_entropy
from torch import Tensor

from mmdpt.models.layers import Fusion, Reassemble
from mmdpt.models.layers.fusion import double_size
from mmdpt.models.layers.reassemble import Tap
from mmdpt.models.layers.relu_dropout import ReLUDropout
from mmdpt.models.layers.upsampling import convolve_upsampled
from mmdpt.models.losses.upsampled_cross_entropy import upsampled_cross_entropy
from mmdpt.registry import MODELS

from .sizes import cut_to, input_size, padded_size, stride_of

EPSILON = torch.finfo(torch.float32).eps
"""Added to numbers of pixels, as in mmseg: a loss over no pixel is 0."""


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
        return self.conv_seg(self.dropout(self.project(fused)))


@MODELS.register_module()
class DPTHead(BaseDecodeHead):
    """Reassemble the taps, fuse them coarse to fine, classify every pixel.

    Args:
        num_classes: Number of classes.
        embed_dims: Channels of the taps, one number or one per tap.
        reassemble_channels: Channels of each tap between its projection and the fusion; None for a
            tap that needs neither readout nor projection nor resampling.
        reassemble_scales: Factors from each tap's grid to its map's.
        readout_type: What becomes of the readout token: 'ignore', 'add' or 'project'.
        patch_size: Image pixels per cell of the first tap's grid.
        channels: Channels of the fusion.
        norm_cfg: Normalisation in fusion and output, None for none.
        conv_bias: Bias in the fusion's 3x3 convolutions. None: where there is no normalisation.
        dropout_ratio: Element-wise dropout before the classifier.
        auxiliary_weight: Weight of the loss on the penultimate fusion map. 0: no such output.
        align_corners: Of the upsampling to the image.
        **kwargs: ``loss_decode``, ``sampler``, ``ignore_index``, ``out_channels``, ``threshold``
            and ``init_cfg`` of mmseg's ``BaseDecodeHead``.

    Raises:
        ValueError: If ``auxiliary_weight`` is negative, or a reassemble setting does not fit.
    """

    def __init__(
        self,
        num_classes: int,
        embed_dims: int | Sequence[int] = 768,
        reassemble_channels: Sequence[int | None] = (96, 192, 384, 768),
        reassemble_scales: Sequence[float] = (4, 2, 1, 0.5),
        readout_type: str = 'project',
        patch_size: int = 16,
        channels: int = 256,
        norm_cfg: dict | None = None,
        conv_bias: bool | None = None,
        dropout_ratio: float = 0.1,
        auxiliary_weight: float = 0.0,
        align_corners: bool = True,
        **kwargs: Any,
    ) -> None:
        if auxiliary_weight < 0:
            raise ValueError(f'auxiliary_weight must not be negative, got {auxiliary_weight}')
        super().__init__(
            in_channels=list(reassemble_channels),
            channels=channels,
            num_classes=num_classes,
            in_index=list(range(len(reassemble_channels))),
            input_transform='multiple_select',
            dropout_ratio=0,  # mmseg's drops whole channels; the reference drops elements
            norm_cfg=norm_cfg,
            align_corners=align_corners,
            **kwargs,
        )
        self.reassemble = Reassemble(
            embed_dims, reassemble_channels, channels, reassemble_scales, readout_type
        )
        self.fusion = Fusion(channels, len(reassemble_channels), norm_cfg, conv_bias)
        self.project = ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg, act_cfg=None)
        self.dropout = ReLUDropout(dropout_ratio)
        self.auxiliary_weight = auxiliary_weight
        if auxiliary_weight > 0:
            self.auxiliary = AuxiliaryOutput(channels, self.out_channels, norm_cfg, dropout_ratio)
        self.output_stride = stride_of(patch_size, reassemble_scales[0])

    def fuse(self, taps: Sequence[Tap]) -> tuple[Tensor, Tensor]:
        """Reassemble and fuse four taps into the last and the penultimate fusion map."""
        return self.fusion(self.reassemble(taps))

    def forward(self, taps: Sequence[Tap]) -> Tensor:
        """Predict logits (N, classes, H / 2, W / 2) of the image padded to the patch."""
        fused, _ = self.fusion.fuse_to_finest(self.reassemble(taps))
        return self._classify(fused)

    def _classify(self, fused: Tensor) -> Tensor:
        """Predict logits at twice the size of the last fusion map before its upsampling."""
        x = convolve_upsampled(self.project.conv, fused, double_size(fused))
        if self.project.with_norm:
            x = self.project.norm(x)
        return self.conv_seg(self.dropout(x))

    def loss(self, taps: Sequence[Tap], batch_data_samples: list, train_cfg: dict | None) -> dict:
        """Compute the losses, those of the auxiliary output under names with ``aux_``."""
        fused, penultimate = self.fusion.fuse_to_finest(self.reassemble(taps))
        losses = self.loss_by_feat(self._classify(fused), batch_data_samples)
        if self.auxiliary_weight > 0:
            auxiliary = self.loss_by_feat(
                self.auxiliary(penultimate), batch_data_samples, 2 * self.output_stride
            )
            for name, value in auxiliary.items():
                weight = self.auxiliary_weight if 'loss' in name else 1
                losses[f'aux_{name}'] = weight * value
        return losses

    def loss_by_feat(
        self, seg_logits: Tensor, batch_data_samples: list, stride: Fraction | None = None
    ) -> dict:
        """Compute mmseg's losses on logits upsampled to the labels.

        Args:
            seg_logits: (N, classes, h, w) of the padded image.
            batch_data_samples: Samples with ``gt_sem_seg`` (1, H, W).
            stride: Image pixels per logit, the head's output stride by default.
        """
        label = self._stack_batch_gt(batch_data_samples)
        stride = stride or self.output_stride
        several = isinstance(self.loss_decode, nn.ModuleList)
        criteria: list[Any] = list(self.loss_decode) if several else [self.loss_decode]
        if self.sampler is None and all(is_plain(criterion) for criterion in criteria):
            return self._cross_entropies(seg_logits, label.squeeze(1), criteria, stride)
        logits = self.upsample(seg_logits, label.shape[-2:], stride)
        weight = None if self.sampler is None else self.sampler.sample(logits, label)
        label = label.squeeze(1)
        losses: dict[str, Tensor] = {}
        for criterion in criteria:
            value = criterion(logits, label, weight=weight, ignore_index=self.ignore_index)
            name = str(criterion.loss_name)
            losses[name] = losses.get(name, 0) + value
        losses['acc_seg'] = accuracy(logits, label, ignore_index=self.ignore_index)
        return losses

    def _cross_entropies(
        self, logits: Tensor, label: Tensor, criteria: Sequence[Any], stride: Fraction
    ) -> dict:
        """Compute what ``loss_by_feat`` does, without logits at full resolution."""
        size = padded_size(logits.shape[-2:], stride)
        labelled = label != self.ignore_index
        losses: dict[str, Tensor] = {}
        for criterion in criteria:
            weight = criterion.class_weight
            if weight is not None:
                weight = torch.tensor(weight, device=logits.device, dtype=torch.float32)
            total, correct = upsampled_cross_entropy(
                logits, label, size, self.align_corners, self.ignore_index, weight
            )
            if weight is not None:
                count = weight[label[labelled]].sum()
            else:
                count = labelled.sum() if criterion.avg_non_ignore else label.numel()
            name = str(criterion.loss_name)
            value = criterion.loss_weight * total / (count + EPSILON)
            losses[name] = losses.get(name, 0) + value
        right = (correct + EPSILON) / (labelled.sum() + EPSILON)
        losses['acc_seg'] = (100 * right).reshape(1)
        return losses

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Upsample logits to the size of the network's input, (N, classes, H, W)."""
        return self.upsample(seg_logits, input_size(batch_img_metas[0]), self.output_stride)

    def upsample(self, logits: Tensor, size: Sequence[int], stride: Fraction) -> Tensor:
        """Upsample logits by ``stride`` and cut off what the backbone padded beyond ``size``."""
        padded = padded_size(logits.shape[-2:], stride)
        logits = F.interpolate(
            logits, size=padded, mode='bilinear', align_corners=self.align_corners
        )
        return cut_to(logits, size)


def is_plain(criterion: nn.Module) -> bool:
    """Tell whether a loss is mmseg's cross-entropy over classes, averaged over pixels."""
    return (
        type(criterion) is CrossEntropyLoss
        and criterion.cls_criterion is cross_entropy
        and criterion.reduction == 'mean'
    )
