"""Encoder and depth head, with whole, slide and flip inference."""

from mmseg.models.segmentors import DepthEstimator as MMSegDepthEstimator
from mmseg.structures import SegDataSample
from torch import Tensor

from mmdpt.registry import MODELS

from .depth_inference import average_with_mirror_image, store_depth, whole_or_slide
from .encoder_decoder import EncoderDecoder


@MODELS.register_module()
class DepthEstimator(EncoderDecoder, MMSegDepthEstimator):
    """mmseg's DepthEstimator, whose slide inference is used and whose result has a unit.

    mmseg computes the sliding windows and then overwrites them by a whole-image inference.

    ``test_cfg``: ``mode`` 'whole' or 'slide' (with ``crop_size`` and ``stride`` [px]), ``flip``
    True to average with the mirrored image; ``resize_mode`` 'bilinear' (the default, as mmseg) or
    'bicubic' (isl-org/DPT, transformers) and ``resize_align_corners`` (default False; True in Depth
    Anything V2) for the way to the original image, where bicubic overshoot ends at 0 or the head's
    ``clamp``.
    """

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Predict (N, 1, H, W) at the size of the inputs (N, 3, H, W), in the head's unit.

        Raises:
            ValueError: If ``test_cfg.mode`` is neither 'whole' nor 'slide'.
        """
        return whole_or_slide(self, inputs, batch_img_metas)

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
