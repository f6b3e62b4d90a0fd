"""A head of surface normals on DPT's decoder, as TIPSv2's (google-deepmind/tips@4db271d)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmdpt.models.layers.fusion import convolve_upsampled, double_size
from mmdpt.models.layers.reassemble import Tap
from mmdpt.registry import MODELS

from .depth_output import convolve_in_float32
from .dpt_head import DPTDecoder, build_losses, check_truth, in_float32, input_size, sum_losses


@MODELS.register_module()
class NormalsDPTHead(DPTDecoder):
    """Reassemble the taps, fuse them coarse to fine, predict the surface's normals.

    A normal is a unit vector that points to the camera's side: x right, y down, z forward, so that
    z is negative.

    Args:
        loss_decode: One or several losses, called as ``loss(pred, target)`` on (N, 3, H, W) with
            NaN where the target is invalid.
        **kwargs: Arguments of ``DPTDecoder``: ``embed_dims``, ``reassemble_channels``, ...

    Raises:
        ValueError: If a reassemble setting does not fit.
    """

    num_classes = out_channels = 3
    align_corners = False
    """Whether upsampling to the image aligns corners."""

    def __init__(self, loss_decode: dict | Sequence[dict] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.project = nn.Conv2d(self.channels, self.channels, 3, padding=1)
        self.conv_normals = nn.Conv2d(self.channels, 3, kernel_size=1)
        self.loss_decode = build_losses(loss_decode)

    def forward(self, taps: Sequence[Tap]) -> Tensor:
        """Predict normals (N, 3, H / 2, W / 2) of the image padded to the patch."""
        fused, _ = self.fuse(taps)
        x = convolve_upsampled(self.project, fused, double_size(fused))
        return F.normalize(convolve_in_float32(self.conv_normals, in_float32(x)), dim=1)

    def loss(self, taps: Sequence[Tap], batch_data_samples: list, train_cfg: dict | None) -> dict:
        """Compute the losses against ``gt_normals_map``, (3, H, W), NaN where there is none."""
        check_truth(batch_data_samples, 'gt_normals_map')
        pred = self.predict(taps, [sample.metainfo for sample in batch_data_samples], None)
        target = torch.full_like(pred, torch.nan)  # in the padding
        for row, sample in zip(target, batch_data_samples, strict=True):
            height, width = sample.gt_normals_map.data.shape[-2:]
            row[:, :height, :width] = sample.gt_normals_map.data
        return sum_losses(self.loss_decode, pred, target)

    def predict(
        self, taps: Sequence[Tap], batch_img_metas: list[dict], test_cfg: dict | None
    ) -> Tensor:
        """Predict normals (N, 3, H, W) at the size of the network's input."""
        size = input_size(batch_img_metas[0])
        return F.normalize(self.upsample(self(taps), size, self.output_stride), dim=1)
