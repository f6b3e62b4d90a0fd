"""Read an image of any kind, from a file or an object, as (H, W, 3) uint8 RGB."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from mmdpt.errors import InputError, check_choice
from mmdpt.files.image_checks import (
    FORMATS,
    GREATEST_PIXELS,
    PIXELS_VARIABLE,
    check_file_size,
    check_pixels,
    greatest_pixels,
    known_formats,
)
from mmdpt.files.paths import check_file

ChannelOrder = Literal['rgb', 'bgr']

GREATEST_16_BIT = 65535


def read_image(path: str | Path) -> np.ndarray:
    """Read a file of ``image_checks.FORMATS``, the first image of one with several.

    EXIF orientation is applied, transparent pixels are laid over white, grey becomes RGB, CMYK is
    converted without a colour profile, and the full range of 16 bits is scaled to 8.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: If the file is missing, empty, cut short or no image; if it has no pixels,
            numbers of an unknown range, or more pixels than ``mmdpt.files.image_checks`` allows.
    """
    path = check_file(path, 'image')
    check_file_size(path)
    try:
        with path.open('rb') as file:
            return _decode(file, str(path))
    except OSError as error:
        raise InputError(f'{path} cannot be opened: {error.strerror}') from error


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Read the content of an image file, see ``read_image``; ``name`` is for messages."""
    return _decode(io.BytesIO(data), name)


def as_rgb(
    image: np.ndarray | Image.Image | Tensor, channel_order: ChannelOrder = 'rgb'
) -> np.ndarray:
    """Copy an image in memory into RGB of 8 bits.

    Args:
        image: Array (H, W), (H, W, 1), (H, W, 3) or, with opacity, (H, W, 4), or tensor (1, H, W)
            or (3, H, W); uint8, uint16 over its full range, or floating point in [0, 1]. Or a PIL
            image, whose EXIF orientation is applied.
        channel_order: 'rgb' or 'bgr', for arrays and tensors.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: If the shape, number type or range of values is another.
        ValueError: If the channel order is unknown.
    """
    check_choice('channel_order', channel_order, ('rgb', 'bgr'))
    if isinstance(image, Image.Image):
        return _from_pillow(image, 'the PIL image')
    if isinstance(image, Tensor):
        return _from_array(_channels_last(image), channel_order)
    if isinstance(image, np.ndarray):
        return _from_array(image, channel_order)
    raise InputError(f'expected an array, a PIL image or a tensor, received {type(image).__name__}')


def _decode(file: IO[bytes], name: str) -> np.ndarray:
    if not file.read(1):
        raise InputError(f'{name} is empty')
    file.seek(0)
    formats = known_formats()
    _raise_pillows_limit()
    with _naming(name):
        image = Image.open(file, formats=formats)
    check_pixels(image.height, image.width, name)
    if image.format == 'PNG':  # decoding leaves out the checksums of the pixels
        with _naming(name):
            image.verify()
            image = Image.open(file, formats=formats)
    with image:
        return _from_pillow(image, name)


def _raise_pillows_limit() -> None:
    """Let Pillow open what the user allows; it refuses twice its own number, and warns at once."""
    allowed, pillows = greatest_pixels(), Image.MAX_IMAGE_PIXELS
    if allowed != GREATEST_PIXELS and pillows is not None and allowed > pillows:
        Image.MAX_IMAGE_PIXELS = allowed


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Turn what Pillow raises into an InputError."""
    try:
        yield
    except UnidentifiedImageError as error:
        raise InputError(f'{name} is no image that can be read ({", ".join(FORMATS)})') from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f'{name} is too large: {error}; where you trust the file, raise the limit: '
            f'{PIXELS_VARIABLE}=NUMBER'
        ) from error
    except Exception as error:  # its readers raise whatever a damaged file makes go wrong
        raise InputError(f'{name} is damaged: {error}') from error


def _from_pillow(image: Image.Image, name: str) -> np.ndarray:
    if not image.width or not image.height:
        raise InputError(f'{name} has no pixels: {image.width} x {image.height} px')
    with _naming(name):
        upright = ImageOps.exif_transpose(image)
    try:
        if upright.mode == 'I' or upright.mode.startswith('I;16'):
            return _from_array(_as_uint16(np.asarray(upright)), 'rgb')
        if upright.mode == 'F':
            return _from_array(np.asarray(upright), 'rgb')
        if upright.has_transparency_data:
            return _over_white(upright.convert('RGBA'))
        return np.array(upright.convert('RGB'))
    except ValueError as error:  # InputError is one
        raise InputError(f'{name} of PIL mode {upright.mode}: {error}') from error


def _as_uint16(values: np.ndarray) -> np.ndarray:
    """Narrow mode 'I', in which Pillow gives a 16-bit PGM among others."""
    if values.min() < 0 or values.max() > GREATEST_16_BIT:
        raise InputError(
            f'expected numbers in [0, {GREATEST_16_BIT}], received {values.min()} to {values.max()}'
        )
    return values.astype(np.uint16)


def _channels_last(image: Tensor) -> np.ndarray:
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise InputError(f'expected a tensor (3, H, W) or (1, H, W), received {tuple(image.shape)}')
    image = image.detach().cpu()
    if image.dtype == torch.bfloat16:  # NumPy has none
        image = image.float()
    return image.permute(1, 2, 0).numpy()


def _from_array(values: np.ndarray, channel_order: ChannelOrder) -> np.ndarray:
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4):
        raise InputError(
            f'expected an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), received {values.shape}'
        )
    if not values.size:
        raise InputError(f'expected pixels, received the shape {values.shape}')
    values = _as_uint8(values)
    if values.shape[2] == 1:
        return np.repeat(values, 3, axis=2)
    if channel_order == 'bgr':
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]
    if values.shape[2] == 4:
        return _over_white(Image.fromarray(np.ascontiguousarray(values)))
    return np.array(values, order='C')


def _as_uint8(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.uint16:
        # 65535 / 255 = 257: each 8-bit level is the middle of 257 levels of 16 bits
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if values.dtype.kind != 'f':
        raise InputError(
            f'expected uint8, uint16 or floating point in [0, 1], received {values.dtype}'
        )
    low, high = values.min(), values.max()  # NaN where one is
    if not (low >= 0 and high <= 1):
        raise InputError(
            f'expected floating-point values in [0, 1], received {low:g} to {high:g}; '
            'normalised already, or of 0 to 255?'
        )
    return np.rint(values * np.float32(255)).astype(np.uint8)


def _over_white(image: Image.Image) -> np.ndarray:
    """Lay an RGBA image over white, since transparent pixels may have any colour."""
    white = Image.new('RGBA', image.size, 'white')
    return np.array(Image.alpha_composite(white, image).convert('RGB'))
