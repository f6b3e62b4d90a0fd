"""What the models that predict depth share: whole, slide and flip inference, and the result."""

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from mmdpt.models.decode_heads import DepthDPTHead

MODES = ('whole', 'slide')
RESIZE_MODES = ('bilinear', 'bicubic')
FLIP_AXES = {'horizontal': -1, 'vertical': -2}


def whole_or_slide(model: BaseSegmentor, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
    """Run the inference that ``test_cfg.mode`` names, on inputs (N, 3, H, W).

    Raises:
        ValueError: If the mode is neither 'whole' nor 'slide'.
    """
    mode = model.test_cfg.get('mode', 'whole')
    if mode not in MODES:
        raise ValueError(f'test_cfg.mode must be one of {list(MODES)}, got {mode!r}')
    if mode == 'slide':
        return model.slide_inference(inputs, batch_img_metas)
    return model.whole_inference(inputs, batch_img_metas)


def average_with_mirror_image(
    predict: Callable[[Tensor], Tensor], inputs: Tensor, test_cfg: dict | None
) -> Tensor:
    """Predict an image or window; under ``test_cfg.flip``, averaged with its mirror image."""
    prediction = predict(inputs)
    if not (test_cfg or {}).get('flip', False):
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

    The meta: ``depth_output``, ``depth_unit`` and ``is_metric`` of the head.

    Args:
        depth: (N, 1, H, W) at the size of the network's input, in the head's unit.
        head: The head that predicted it.
        data_samples: One an image.
        test_cfg: The model's, for ``resize_mode`` and ``resize_align_corners``.
        resize: Undo padding and flip as the samples' meta tells them, and resize to the original
            image. False: leave the depth as it is.

    Raises:
        ValueError: If ``test_cfg.resize_mode`` is neither 'bilinear' nor 'bicubic'.
    """
    for image, sample in zip(depth, data_samples, strict=True):
        if resize:
            image = _as_original(image, sample.metainfo, head, test_cfg or {})
        sample.set_data(dict(pred_depth_map=PixelData(data=image)))
        sample.set_metainfo(
            dict(depth_output=head.output, depth_unit=head.unit, is_metric=head.is_metric)
        )


def as_seen(maps: Tensor, meta: dict) -> Tensor:
    """Undo padding and flip of maps (..., H, W) as a sample's meta tells them, by mmseg's rules."""
    left, right, top, bottom = meta.get('img_padding_size') or meta.get('padding_size', [0] * 4)
    height, width = maps.shape[-2:]
    maps = maps[..., top : height - bottom, left : width - right]
    return maps.flip(FLIP_AXES[meta['flip_direction']]) if meta.get('flip') else maps


def _as_original(depth: Tensor, meta: dict, head: DepthDPTHead, test_cfg: dict) -> Tensor:
    """Bring (1, H, W) to the original image.

    The reference, isl-org/DPT@cd3fe90 run_monodepth.py, keeps the cubic's overshoot. Here it ends
    at 0 or the head's ``clamp``: no depth is negative, a NaN stays one.
    """
    mode = test_cfg.get('resize_mode', 'bilinear')
    if mode not in RESIZE_MODES:
        raise ValueError(f'test_cfg.resize_mode must be one of {list(RESIZE_MODES)}, got {mode!r}')
    align_corners = test_cfg.get('resize_align_corners', head.align_corners)
    size = meta['ori_shape'][:2]
    depth = as_seen(depth, meta)
    depth = F.interpolate(depth[None], size, mode=mode, align_corners=align_corners)[0]
    if mode == 'bicubic':
        low, high = head.clamp
        depth = depth.clamp(0 if low is None else low, high)
    return depth
