"""What is exported: a model from its normalised image to logits or depth of the same size."""

import torch.nn as nn
from mmseg.models import BaseSegmentor
from torch import Tensor

from mmdpt.models.decode_heads import DepthDPTHead

INPUT = 'image'
LOGITS = 'logits'


class ExportableModel(nn.Module):
    """A model from images (N, 3, H, W) to its outputs (N, C, H, W), by ``encode_decode``.

    The image is normalised before, and the output is brought to the original image after: the
    metadata says how. With ``test_cfg.flip`` the average with the mirror image is part of it.
    """

    def __init__(self, model: BaseSegmentor) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.output_names = output_names(model)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Give one tensor an output name."""
        output = self.model.encode_decode(image, [dict(img_shape=image.shape[-2:])])
        if len(self.output_names) == 1:
            return (output,)
        num_classes = self.model.decode_head.out_channels
        return output[:, :num_classes], output[:, num_classes:]


def depth_head_of(model: BaseSegmentor) -> DepthDPTHead | None:
    """Give the head that predicts depth, None for a model of segmentation alone."""
    head = getattr(model, 'depth_head', model.decode_head)
    return head if isinstance(head, DepthDPTHead) else None


def segments(model: BaseSegmentor) -> bool:
    """Whether a model gives class logits."""
    return not isinstance(model.decode_head, DepthDPTHead)


def output_names(model: BaseSegmentor) -> list[str]:
    """Name the outputs: 'logits', and 'relative', 'disparity' or 'depth'."""
    head = depth_head_of(model)
    return [LOGITS] * segments(model) + ([] if head is None else [head.output])
