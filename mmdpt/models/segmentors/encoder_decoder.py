"""mmseg's EncoderDecoder with frugal inference: windows, and labels in an image's own pixels."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder as MMSegEncoderDecoder
from torch import Tensor

from mmdpt.errors import InputError, check_choice
from mmdpt.registry import MODELS

FLIP_AXES = {'horizontal': -1, 'vertical': -2}
CLASSES_AT_ONCE = 8
"""Full-resolution maps in memory together: 150 of a 5 MP photograph take 3 GB.

Also the channels that torch's kernel for channels-last tensors computes as one vector.
"""
PARTS = 2
"""Parts in which a group of maps is brought from channels last to planes."""
ROWS_AT_ONCE = 16
"""Rows of logits that are searched at a time for classes to leave out."""
FEW = 2**24
"""Full-resolution logits, 64 MB, that are made all at once: for them that is fastest."""
ROUNDING = 64
"""Units in the last place by which an interpolated logit may leave the range of the four around."""


@MODELS.register_module()
class EncoderDecoder(MMSegEncoderDecoder):
    """mmseg's EncoderDecoder, with layer depths for learning rates and frugal inference.

    The layer depths are what layer-wise learning-rate decay needs. The labels are mmseg's. Without
    ``keep_logits`` the logits of the original image's size, 3 GB for 150 classes of a 5 MP
    photograph, are never made.

    ``test_cfg``: mmseg's, and ``keep_logits``, whether results have ``seg_logits``: by default, as
    in mmseg; not in mmdpt's configs.
    """

    modes: tuple[str, ...] = ('whole', 'slide')

    def get_layer_depth(self, param_name: str) -> tuple[int, int]:
        """Give a parameter's depth and the number of depths; heads are deepest.

        For ``constructor='mmpretrain.LearningRateDecayOptimWrapperConstructor'``.
        """
        return self.backbone.get_layer_depth(param_name, 'backbone.')

    def _init_decode_head(self, decode_head: dict) -> None:
        normalise_for(self.data_preprocessor, self.backbone)
        super()._init_decode_head(fit_head(decode_head, self.backbone))

    def val_step(self, data: dict) -> list:
        """Predict a batch, see MMEngine.

        Raises:
            InputError: If its images differ in size.
        """
        sizes = sorted({tuple(image.shape[-2:]) for image in data['inputs']})
        if len(sizes) > 1:
            raise InputError(
                f'a batch has images of {" and ".join(map(str, sizes))} px: set batch_size=1 in '
                'val_dataloader and test_dataloader'
            )
        return super().val_step(data)

    def test_step(self, data: dict) -> list:
        """Predict a batch, see ``val_step``."""
        return self.val_step(data)

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Predict (N, C, H, W) at the size of the inputs (N, 3, H, W), whole or by windows.

        Raises:
            ValueError: If ``test_cfg.mode`` is none of ``modes``.
        """
        mode = check_choice('test_cfg.mode', self.test_cfg.get('mode', 'whole'), self.modes)
        run = self.whole_inference if mode == 'whole' else self.slide_inference
        return run(inputs, batch_img_metas)

    def slide_inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Average the overlapping windows of ``test_cfg`` as mmseg does: the same bits.

        One map of a class, not mmseg's three. The first image's meta gets the ``img_shape``.
        """
        height, width = inputs.shape[-2:]
        count = inputs.new_zeros((1, 1, height, width))
        total: list[Tensor] = []
        for rows in windows(height, self.test_cfg.crop_size[0], self.test_cfg.stride[0]):
            for columns in windows(width, self.test_cfg.crop_size[1], self.test_cfg.stride[1]):
                window = inputs[..., rows, columns]
                batch_img_metas[0]['img_shape'] = window.shape[2:]
                output = self.encode_decode(window, batch_img_metas)
                total = total or [inputs.new_zeros((*output.shape[:2], height, width))]
                total[0][..., rows, columns] += output
                count[..., rows, columns] += 1
        return total[0].div_(count)

    def postprocess_result(self, seg_logits: Tensor, data_samples: list | None = None) -> list:
        """Give ``pred_sem_seg``, (1, H, W), and ``seg_logits`` unless ``keep_logits`` is False.

        Args:
            seg_logits: (N, C, H, W) at the size of the network's input.
            data_samples: Samples to fill, with labels of their original images; None for new ones,
                with logits and labels of the network's input.
        """
        if data_samples is None or (self.test_cfg or {}).get('keep_logits', True):
            return super().postprocess_result(seg_logits, data_samples)
        for logits, sample in zip(seg_logits, data_samples, strict=True):
            threshold = getattr(self.decode_head, 'threshold', None) or 0.5
            labels = label_map(logits, sample.metainfo, self.align_corners, threshold)
            if len(logits) == 1:  # as mmseg's
                labels = labels.to(logits)
            sample.set_data(dict(pred_sem_seg=PixelData(data=labels[None])))
        return data_samples


def fit_head(head: dict, backbone: nn.Module) -> dict:
    """Complete the config of a head by what follows from the backbone's taps.

    Raises:
        ValueError: If the config says that the taps have other widths.
    """
    settings = getattr(backbone, 'head_cfg', {})
    taps, said = settings.get('embed_dims'), head.get('embed_dims')
    if taps is not None and said is not None:
        widths = [said] * len(taps) if isinstance(said, int) else list(said)
        if widths != list(taps):
            raise ValueError(f"a head's embed_dims are {said}, but the backbone's taps have {taps}")
    return {**settings, **head}


def normalise_for(preprocessor: Any, backbone: nn.Module) -> None:
    """Take the pixels' mean and deviation from the backbone, where the config gives none."""
    if hasattr(backbone, 'mean') and not preprocessor._enable_normalize:
        for name in ('mean', 'std'):
            value = torch.tensor(getattr(backbone, name)).view(-1, 1, 1)
            preprocessor.register_buffer(name, value, persistent=False)
        preprocessor._enable_normalize = True


def windows(size: int, window: int, stride: int) -> list[slice]:
    """Cover a side of ``size`` [px] as mmseg does: the last window ends where it ends."""
    if not 0 < stride <= window:
        raise ValueError(
            f'test_cfg.stride must be in 1..crop_size, got {stride} for windows of {window} px'
        )
    number = max(size - window + stride - 1, 0) // stride + 1
    ends = [min(index * stride + window, size) for index in range(number)]
    return [slice(max(end - window, 0), end) for end in ends]


def as_seen(maps: Tensor, meta: dict) -> Tensor:
    """Undo padding and flip of maps (..., H, W) as a sample's meta tells them, by mmseg's rules."""
    left, right, top, bottom = meta.get('img_padding_size') or meta.get('padding_size', [0] * 4)
    height, width = maps.shape[-2:]
    maps = maps[..., top : height - bottom, left : width - right]
    return maps.flip(FLIP_AXES[meta['flip_direction']]) if meta.get('flip') else maps


def label_map(logits: Tensor, meta: dict, align_corners: bool, threshold: float = 0.5) -> Tensor:
    """Label every pixel of the original image as mmseg does: float32 logits bit for bit.

    The logits are (C, H, W) at the size of the network's input; the sample's meta tells padding,
    flip and ``ori_shape``. Where C is 1, a probability above the threshold is class 1. Gives (H',
    W') int64; the first of classes that are equally likely.
    """
    logits = as_seen(logits.detach()[None], meta)
    size = tuple(meta['ori_shape'][:2])
    num_classes, *input_size = logits.shape[1:]
    planes = logits.stride(-1) == 1 and logits.device.type == 'cpu'
    if num_classes > 1 and list(size) == input_size and not planes:  # of planes it is slower
        return logits[0].argmax(dim=0)
    if num_classes == 1 or num_classes * size[0] * size[1] <= FEW:
        resized = F.interpolate(logits, size, mode='bilinear', align_corners=align_corners)[0]
        if num_classes == 1:
            return (resized[0].sigmoid() > threshold).long()
        return resized.argmax(dim=0)
    magnitude = torch.stack(logits.aminmax()).abs().max()
    finite = bool(magnitude.isfinite())
    classes: Sequence[int] = range(num_classes)
    if finite and list(size) == input_size:
        return _arg_max([(classes, logits)], num_classes, size, finite)
    if size[0] * size[1] > input_size[0] * input_size[1]:
        tolerance = ROUNDING * torch.finfo(logits.dtype).eps * magnitude
        classes = contenders(logits[0], tolerance)
        if len(classes) == 1:
            return torch.full(size, classes[0], device=logits.device)
    return _arg_max(_resized(logits, classes, size, align_corners), num_classes, size, finite)


def contenders(logits: Tensor, tolerance: Tensor) -> list[int]:
    """Name the classes that can be the greatest at some point between the logits (C, h, w).

    What is interpolated bilinearly lies between the four logits around it. So a class is nowhere
    the greatest if in every cell of four its greatest is below the least of another class by more
    than the tolerance. One that is NaN or infinite leaves no class out.
    """
    margin = logits.new_full((len(logits),), -torch.inf)
    for top in range(0, max(1, logits.shape[1] - 1), ROWS_AT_ONCE):
        rows = logits[:, top : top + ROWS_AT_ONCE + 1]
        least = _of_cells(torch.minimum, rows).amax(dim=0)
        above = _of_cells(torch.maximum, rows) - least
        margin = torch.maximum(margin, above.amax(dim=(1, 2)))
        del above  # before the next is made
    return (~(margin < -tolerance)).nonzero()[:, 0].tolist()


def groups(classes: Sequence[int], num_classes: int) -> Iterator[Sequence[int]]:
    """Split classes so that torch rounds the maps of a group as it does those of all together.

    Its CPU kernels (pytorch/pytorch, aten/src/ATen/native/cpu/UpSampleKernel.cpp) differ in the
    last bit: by whether there are more than three channels, and, channels last, between channels
    that fill a vector and the rest. So groups have eight classes, the last one repeated where
    there are fewer, and the rest stays together in its place.
    """
    rest = num_classes % CLASSES_AT_ONCE
    if 0 < rest < 4:
        rest += CLASSES_AT_ONCE
    first_of_rest = max(0, num_classes - rest)
    filling = [label for label in classes if label < first_of_rest]
    for start in range(0, len(filling), CLASSES_AT_ONCE):
        group = filling[start : start + CLASSES_AT_ONCE]
        yield group + group[-1:] * (CLASSES_AT_ONCE - len(group))
    if any(label >= first_of_rest for label in classes):
        yield range(first_of_rest, num_classes)


def _of_cells(extreme: Callable[[Tensor, Tensor], Tensor], logits: Tensor) -> Tensor:
    """Reduce (C, h, w) to the cells between four logits, (C, h - 1, w - 1), at least one."""
    for dim in (1, 2):
        cells = logits.shape[dim] - 1
        if cells:
            logits = extreme(logits.narrow(dim, 0, cells), logits.narrow(dim, 1, cells))
    return logits


def _resized(
    logits: Tensor, classes: Sequence[int], size: Sequence[int], align_corners: bool
) -> Iterator[tuple[Sequence[int], Tensor]]:
    """Give groups of classes and their full-resolution maps (1, n, H', W'), good until the next."""
    channels_last = logits.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    maps = logits.new_empty(0, 0)
    for group in groups(classes, logits.shape[1]):
        some = logits
        if list(group) != list(range(logits.shape[1])):
            some = logits[:, list(group)].contiguous(memory_format=layout)
        if maps.shape[1] == len(group):  # memory that is new takes as long as the arithmetic
            torch.ops.aten.upsample_bilinear2d.out(some, size, align_corners, out=maps)
        else:
            maps = logits.new_empty(0, 0)
            maps = F.interpolate(some, size, mode='bilinear', align_corners=align_corners)
        yield group, maps


def _arg_max(
    maps_of_classes: Iterable[tuple[Sequence[int], Tensor]],
    num_classes: int,
    size: tuple[int, int],
    finite: bool,
) -> Tensor:
    """Take the first of the greatest, or the first NaN, of maps in the order of their classes."""
    dtype = torch.uint8 if num_classes <= 256 else torch.int32
    so_far: tuple[Tensor, ...] = ()
    for group, maps in maps_of_classes:
        if not so_far:
            best = maps.new_full(size, -torch.inf)
            so_far = best, best.new_zeros(size, dtype=dtype), best.new_empty(size, dtype=torch.bool)
        parts = 1 if maps.stride(-1) == 1 else PARTS
        for part in zip(maps[0].chunk(parts, 1), *(x.chunk(parts) for x in so_far), strict=True):
            _take_greatest(group, finite, *part)
        del maps, part  # before the next are made
    return so_far[1].long()


def _take_greatest(
    group: Sequence[int],
    finite: bool,
    planes: Tensor,
    best: Tensor,
    labels: Tensor,
    greater: Tensor,
) -> None:
    """Replace, in place, what maps exceed, and note their classes, which follow those before."""
    if planes.stride(-1) != 1:
        planes = planes.contiguous()
    for label, values in zip(group, planes, strict=True):
        torch.gt(values, best, out=greater)
        if not finite:
            greater |= values.isnan() & ~best.isnan()
        torch.maximum(best, values, out=best)
        numbers = greater.view(torch.uint8).to(labels.dtype).mul_(label)
        torch.maximum(labels, numbers, out=labels)
