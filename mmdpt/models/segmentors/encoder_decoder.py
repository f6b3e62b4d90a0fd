"""What training and testing DPT needs beyond mmseg's segmentor."""

from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder as MMSegEncoderDecoder
from torch import Tensor

from mmdpt.registry import MODELS

from .label_map import label_map


@MODELS.register_module()
class EncoderDecoder(MMSegEncoderDecoder):
    """mmseg's EncoderDecoder, with layer depths for learning rates and frugal inference.

    The layer depths are what layer-wise learning-rate decay needs. The labels are mmseg's, but the
    logits of the original image's size, 3 GB for 150 classes of a 5 MP photograph, are never made.

    ``test_cfg``: mmseg's, and ``keep_logits`` True for ``seg_logits`` in the results all the same.
    """

    def get_layer_depth(self, param_name: str) -> tuple[int, int]:
        """Give a parameter's depth and the number of depths; heads are deepest.

        For ``constructor='mmpretrain.LearningRateDecayOptimWrapperConstructor'``.
        """
        return self.backbone.get_layer_depth(param_name, 'backbone.')

    def slide_inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Average the overlapping windows of ``test_cfg`` as mmseg does: the same bits.

        mmseg adds to all pixels for each window. Here there is one map of a class, not three.

        Args:
            inputs: (N, 3, H, W).
            batch_img_metas: Of the images; the first one's ``img_shape`` becomes the window's.

        Returns:
            (N, C, H, W), C of ``out_channels``.
        """
        height, width = inputs.shape[-2:]
        total = inputs.new_zeros((len(inputs), self.out_channels, height, width))
        count = inputs.new_zeros((1, 1, height, width))
        for rows in windows(height, self.test_cfg.crop_size[0], self.test_cfg.stride[0]):
            for columns in windows(width, self.test_cfg.crop_size[1], self.test_cfg.stride[1]):
                window = inputs[..., rows, columns]
                batch_img_metas[0]['img_shape'] = window.shape[2:]
                total[..., rows, columns] += self.encode_decode(window, batch_img_metas)
                count[..., rows, columns] += 1
        return total.div_(count)

    def postprocess_result(self, seg_logits: Tensor, data_samples: list | None = None) -> list:
        """Give ``pred_sem_seg``, (1, H, W), and, where they cost nothing or are kept, the logits.

        Args:
            seg_logits: (N, C, H, W) at the size of the network's input.
            data_samples: Samples to fill, with labels of their original images; None for new ones,
                with logits and labels of the network's input.
        """
        if data_samples is None or (self.test_cfg or {}).get('keep_logits', False):
            return super().postprocess_result(seg_logits, data_samples)
        for logits, sample in zip(seg_logits, data_samples, strict=True):
            labels = label_map(
                logits, sample.metainfo, self.align_corners, self.decode_head.threshold
            )
            if len(logits) == 1:  # as mmseg's
                labels = labels.to(logits)
            sample.set_data(dict(pred_sem_seg=PixelData(data=labels[None])))
        return data_samples


def windows(size: int, window: int, stride: int) -> list[slice]:
    """Cover a side of ``size`` [px] as mmseg does: the last window ends where it ends."""
    if not 0 < stride <= window:
        raise ValueError(
            f'test_cfg.stride must be in 1..crop_size, got {stride} for windows of {window} px'
        )
    number = max(size - window + stride - 1, 0) // stride + 1
    ends = [min(index * stride + window, size) for index in range(number)]
    return [slice(max(end - window, 0), end) for end in ends]
