"""The part of a model that is exported: normalised image in, logits or depth of its size out."""

import torch.nn as nn
from mmseg.models import BaseSegmentor
from torch import Tensor

from mmdpt.inference.metadata import LOGITS, depth_head_of, output_names


class ExportableModel(nn.Module):
    """Turn images (N, 3, H, W) into outputs (N, C, H, W) by the model's ``encode_decode``.

    The caller normalises the image before and resizes the output to the original image after; the
    metadata says how. With ``test_cfg.flip`` the graph contains the average with the mirror image.
    Depth that depends on the camera is that of the canonical focal length.
    """

    def __init__(self, model: BaseSegmentor) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.output_names = output_names(model)
        self.focal = getattr(depth_head_of(model), 'canonical_focal', None)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return one tensor for each of ``output_names``."""
        meta = dict(img_shape=image.shape[-2:], focal=self.focal)
        output = self.model.encode_decode(image, [meta])
        classes = self.model.decode_head.out_channels
        sizes = [classes if name == LOGITS else 1 for name in self.output_names]
        return output.split(sizes, dim=1) if len(sizes) > 1 else (output,)
