"""The part of a model that is exported: normalised image in, logits or depth of its size out."""

import torch.nn as nn
from mmseg.models import BaseSegmentor
from torch import Tensor

from mmdpt.models.decode_heads.depth_dpt_head import DepthDPTHead

INPUT = 'image'
LOGITS = 'logits'


class ExportableModel(nn.Module):
    """Turn images (N, 3, H, W) into outputs (N, C, H, W) by the model's ``encode_decode``.

    The caller normalises the image before and resizes the output to the original image after; the
    metadata says how. With ``test_cfg.flip`` the graph contains the average with the mirror image.
    """

    def __init__(self, model: BaseSegmentor) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.output_names = output_names(model)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return one tensor for each of ``output_names``."""
        output = self.model.encode_decode(image, [dict(img_shape=image.shape[-2:])])
        channels = self.model.decode_head.out_channels
        if output.shape[1] == channels:
            return (output,)
        parts = output[:, :channels], output[:, channels : channels + 1]  # without sky
        return parts[: len(self.output_names)]


def depth_head_of(model: BaseSegmentor) -> DepthDPTHead | None:
    """Return the head that predicts depth, or None if the model only segments."""
    head = getattr(model, 'depth_head', model.decode_head)
    return head if isinstance(head, DepthDPTHead) else None


def segments(model: BaseSegmentor) -> bool:
    """Whether a model gives class logits."""
    return not isinstance(model.decode_head, DepthDPTHead)


def output_names(model: BaseSegmentor) -> list[str]:
    """Name the outputs: 'logits' for classes; 'relative', 'disparity' or 'depth' for depth."""
    head = depth_head_of(model)
    return [LOGITS] * segments(model) + ([] if head is None else [head.output])
