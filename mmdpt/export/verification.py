"""Compare an exported file with its model."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmdpt.errors import InputError

from .module import ExportableModel

TOLERANCES = dict(fp32=1e-4, fp16=0.02, int8=0.2)
"""Largest allowed difference, relative to the greatest absolute value of an output.

That of int8 is a mean difference, relative to the mean absolute value: it finds a broken graph
alone. What int8 costs is for ``loss_on_data`` to say.
"""
DEFAULT_SIZE = (224, 224)
LEAST_SIDE = 96
"""Least side from which the sizes are derived [px]; half of it exceeds two patches."""


class Comparison(NamedTuple):
    """The greatest difference of an output at one shape, relative to its greatest value."""

    output: str
    shape: tuple[int, ...]
    difference: float

    def __str__(self) -> str:
        return f'{self.output} of {" x ".join(map(str, self.shape))}: {self.difference:.1e}'


def example_shape(module: ExportableModel) -> tuple[int, int, int, int]:
    """Choose the image shape that records the graph; verification uses other shapes."""
    height, width = (max(side, LEAST_SIDE) for side in own_size(module))
    return 2, 3, 3 * height // 4 + 1, width // 2 + 3


def verified_shapes(
    module: ExportableModel, size: tuple[int, int] | None = None
) -> list[tuple[int, int, int, int]]:
    """Choose four shapes (N, 3, H, W): the model's own size, and three that are not square.

    At its own size, the position embedding is not interpolated and nothing is padded. If the file
    has one ``size``, choose batches of one and three.
    """
    if size is not None:
        return [(1, 3, *size), (3, 3, *size)]
    own = own_size(module)
    height, width = (max(side, LEAST_SIDE) for side in own)
    return [
        (1, 3, *own),
        (2, 3, height // 2 + 1, 3 * width // 4 - 2),
        (1, 3, height + 3, width // 2 + 5),
        (3, 3, height // 2 + 7, width // 2 + 1),
    ]


@torch.no_grad()
def verify(
    module: ExportableModel,
    exported: Callable[[Tensor], Sequence[Tensor]],
    shapes: Sequence[tuple[int, int, int, int]],
    tolerance: float = TOLERANCES['fp32'],
    pictures: Sequence[Tensor] = (),
) -> list[Comparison]:
    """Compare a file with its model on noise of some shapes.

    ``exported`` is the function that the file holds; it takes images (N, 3, H, W). In the place of
    noise, for which int8 is not calibrated, ``pictures`` (1, 3, H', W') may be resized, and means
    of the differences and values taken in the place of the greatest.

    Raises:
        InputError: If the file fails, gives another shape, or differs by more than ``tolerance``
            of an output's greatest value; or if the model's own output is not finite, or the same
            everywhere, since equality would then show nothing.
    """
    noise = torch.Generator().manual_seed(0)
    comparisons = []
    for shape in shapes:
        image = torch.randn(shape, generator=noise)
        if pictures:
            picture = F.interpolate(pictures[0], shape[-2:], mode='bilinear', antialias=True)
            image = picture.repeat(shape[0], 1, 1, 1)
        try:
            actual = exported(image)
        except Exception as error:  # each runtime raises its own
            raise InputError(f'the file fails for an image {shape}: {first_line(error)}') from error
        for name, ours, theirs in zip(module.output_names, module(image), actual, strict=True):
            if not ours.isfinite().all():
                raise InputError(f'the model gives {name} that is not finite for noise {shape}')
            if ours.amax() == ours.amin():
                raise InputError(
                    f'the model gives {name} {ours.amax():g} everywhere for noise {shape}: '
                    'equality would show nothing (--no-verify)'
                )
            if theirs.shape != ours.shape:
                raise InputError(
                    f'the file gives {name} of shape {tuple(theirs.shape)} for {shape}, the model '
                    f'{tuple(ours.shape)}'
                )
            size = torch.mean if pictures else torch.amax
            difference = (size((theirs - ours).abs()) / size(ours.abs())).item()
            comparisons.append(Comparison(name, shape, difference))
            if not difference <= tolerance:
                raise InputError(
                    f'the file differs from the model, {comparisons[-1]} of the '
                    f'{"mean" if pictures else "greatest"} value, more than {tolerance:g}'
                )
    return comparisons


def first_line(error: Exception) -> str:
    """Return the first line of a message, or the error's name if it is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def own_size(module: ExportableModel) -> tuple[int, int]:
    """Return height and width [px] that fit the position embedding."""
    size = getattr(module.model.backbone, 'img_size', DEFAULT_SIZE)
    return (size, size) if isinstance(size, int) else tuple(size)
