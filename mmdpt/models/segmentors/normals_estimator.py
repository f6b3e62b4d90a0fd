"""The model that predicts surface normals."""

import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from mmdpt.registry import MODELS

from .depth_estimator import as_original
from .encoder_decoder import EncoderDecoder


@MODELS.register_module()
class NormalsEstimator(EncoderDecoder):
    """Predict the surface's normals; ``decode_head`` is a ``NormalsDPTHead``.

    ``test_cfg``: ``mode`` 'whole' or 'slide' (with ``crop_size`` and ``stride`` [px]).
    """

    def postprocess_result(self, normals: Tensor, data_samples: list | None = None) -> list:
        """Put ``pred_normals_map``, (3, H, W) unit vectors, into the samples.

        They are resized to the original images bilinearly, without samples not at all.
        """
        samples = data_samples or [SegDataSample() for _ in normals]
        for image, sample in zip(normals, samples, strict=True):
            if data_samples:
                image = as_original(image, sample.metainfo, self.decode_head, {})
            sample.set_data(dict(pred_normals_map=PixelData(data=F.normalize(image, dim=0))))
        return samples
