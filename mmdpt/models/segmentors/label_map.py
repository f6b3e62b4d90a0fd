"""From class logits to labels in an image's own pixels, without a full map of every class."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .depth_inference import as_seen

CLASSES_AT_ONCE = 8
"""Full-resolution maps in memory together: 150 of a 5 MP photograph take 3 GB.

Also the channels that torch's kernel for channels-last tensors computes as one vector.
"""
PARTS = 2
"""Of a group of maps, in which they are brought from channels last to planes."""
ROWS_AT_ONCE = 16
"""Of the logits, where classes are left out."""
FEW = 2**24
"""Full-resolution logits, 64 MB, that are made all at once: for them that is fastest."""
ROUNDING = 64
"""Units in the last place by which an interpolated logit may leave the range of the four around."""


def label_map(logits: Tensor, meta: dict, align_corners: bool, threshold: float = 0.5) -> Tensor:
    """Label every pixel of the original image as mmseg does: float32 logits bit for bit.

    Args:
        logits: (C, H, W) at the size of the network's input.
        meta: The sample's, for padding, flip and ``ori_shape``.
        align_corners: Of the resizing, the head's.
        threshold: Of the probability of class 1 where C is 1.

    Returns:
        (H', W') int64; the first of classes that are equally likely.
    """
    logits = as_seen(logits.detach()[None], meta)
    size = tuple(meta['ori_shape'][:2])
    num_classes, *input_size = logits.shape[1:]
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
    """Name the classes that can be the greatest at some point between the logits.

    What is interpolated bilinearly lies between the four logits around it. So a class is nowhere
    the greatest if in every cell of four its greatest is below the least of another class.

    Args:
        logits: (C, h, w).
        tolerance: Below by how much; where it is NaN or infinite, no class is left out.

    Returns:
        In ascending order.
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
