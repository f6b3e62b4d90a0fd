"""How large an image may be, found in its header before any pixel is decoded."""

import io
import os
import re
import struct
from collections.abc import Sequence

from PIL import Image, UnidentifiedImageError

from mmdpt.errors import InputError

GREATEST_PIXELS = 178_956_970
"""Pixels of an image or map that is read, Pillow's limit too: 0.5 GiB in 8 bits of RGB.

A file of some kilobytes can say that it has 2^30 pixels (OpenCV's limit), which fill the memory.
"""
GREATEST_FILE = 2 << 30
"""Bytes of an image or map file that is read."""
PIXELS_VARIABLE = 'MMDPT_MAX_PIXELS'
"""Environment variable with a number in the place of ``GREATEST_PIXELS``."""
FORMATS = (
    *('AVIF', 'BMP', 'DIB', 'GIF', 'JPEG', 'JPEG2000', 'MPO', 'PNG', 'PPM'),
    *('SUN', 'TIFF', 'WEBP'),
)
"""Pillow's names of what is read; others of its formats start programs (EPS: Ghostscript)."""

_PNG = b'\x89PNG\r\n\x1a\n'
_JPEG = b'\xff\xd8\xff'
_JPEG2000 = (b'\xff\x4f\xff\x51', b'\0\0\0\x0cjP  \r\n\x87\n')
_TIFF = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF markers (ITU-T T.81, table B.1); of that range DHT, JPG and DAC are none."""
_RADIANCE = re.compile(rb'[-+][XY] +(\d+) +[-+][XY] +(\d+)\n')


def greatest_pixels() -> int:
    """Give the limit: ``GREATEST_PIXELS``, or what the environment says.

    Raises:
        InputError: If it says no whole number greater than 0.
    """
    said = os.environ.get(PIXELS_VARIABLE)
    if not said:
        return GREATEST_PIXELS
    if not re.fullmatch('[0-9]{1,18}', said) or not int(said):
        raise InputError(f'{PIXELS_VARIABLE} must be a number of pixels, got {said!r}')
    return int(said)


def check_pixels(height: int, width: int, name: str) -> None:
    """Check the size of an image or map that is about to be decoded.

    Raises:
        InputError: If it has more pixels than ``greatest_pixels``, naming both numbers.
    """
    limit = greatest_pixels()
    if height * width > limit:
        raise InputError(
            f'{name} has {width} x {height} = {height * width} px, more than the {limit} that are '
            f'read; where you trust the file, raise the limit: {PIXELS_VARIABLE}={height * width}'
        )


def check_file_size(path: str | os.PathLike) -> None:
    """Check the bytes of a local file before it is read as a whole.

    Raises:
        InputError: If it has more than ``GREATEST_FILE``, or is no regular file, which may be
            endless.
    """
    try:
        if not os.path.isfile(path):
            if os.path.exists(path) and not os.path.isdir(path):
                raise InputError(f'{path} is no regular file')
            return
        size = os.path.getsize(path)
    except ValueError as error:  # of a name with NUL
        raise InputError(f'{os.fsdecode(path)!r} is no name of a file: {error}') from error
    if size > GREATEST_FILE:
        raise InputError(f'{path} has {size} bytes, more than the {GREATEST_FILE} that are read')


def check_image(data: bytes, name: str = 'it', kinds: Sequence[str] = FORMATS) -> None:
    """Check an encoded image's size by its header; no pixel is decoded, no program started.

    Args:
        data: The file's bytes.
        name: What the messages call it.
        kinds: Some of ``FORMATS``.

    Raises:
        InputError: If it is of no known kind, or ``check_pixels`` refuses it.
    """
    size = image_size(data, kinds)
    if size is None:
        raise InputError(f'{name} is no whole image of a kind that is read ({", ".join(kinds)})')
    check_pixels(*size, name)


def image_size(data: bytes, kinds: Sequence[str] = FORMATS) -> tuple[int, int] | None:
    """Give height and width [px] as the header has them, None where nothing of it is understood.

    PNG and JPEG, which trainings read, are looked at here because Pillow takes longer; TIFF because
    it does not know all kinds of numbers; JPEG 2000 because it believes the container.
    """
    if data.startswith(_PNG) and 'PNG' in kinds:
        return _png_size(data)
    if data.startswith(_JPEG) and 'JPEG' in kinds:
        return _jpeg_size(data)
    if data.startswith(_TIFF) and 'TIFF' in kinds:
        return _tiff_size(data)
    if data.startswith(_JPEG2000) and 'JPEG2000' in kinds:
        return _jpeg2000_size(data)
    if data.startswith(b'#?'):
        return _radiance_size(data)
    return _pillow_size(data, kinds)


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Read IHDR, which is the first chunk (PNG, 3rd edition, 5.6)."""
    if len(data) < 24 or data[12:16] != b'IHDR':
        return None
    width, height = struct.unpack('>II', data[16:24])
    return height, width


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the marker segments to the frame header (ITU-T T.81, B.1.1 and B.2.2)."""
    place = 2
    while True:
        place = data.find(b'\xff', place)
        if place < 0:
            return None
        while data[place : place + 1] == b'\xff':  # fill bytes
            place += 1
        if place >= len(data):
            return None
        marker = data[place]
        place += 1
        if marker == 0 or marker in _WITHOUT_LENGTH:
            continue
        if len(data) < place + 2:
            return None
        if marker in _FRAME_HEADERS:
            if len(data) < place + 7:
                return None
            height, width = struct.unpack('>HH', data[place + 3 : place + 7])
            return height, width
        if marker in (0xD9, 0xDA):  # the end, or pixels, before any frame
            return None
        place += struct.unpack('>H', data[place : place + 2])[0]


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    """Read ImageWidth and ImageLength of the first directory (TIFF 6.0, section 2; BigTIFF)."""
    order = '<' if data[:2] == b'II' else '>'
    is_big = b'+' in data[:4]
    pointer, count, entry = ('Q', 'Q', 'HHQ8s') if is_big else ('I', 'H', 'HHI4s')
    kinds = {1: 'B', 3: 'H', 4: 'I', 16: 'Q'}
    sides: dict[int, int] = {}
    try:
        (place,) = struct.unpack_from(order + pointer, data, 8 if is_big else 4)
        (entries,) = struct.unpack_from(order + count, data, place)
        for index in range(entries):
            start = place + struct.calcsize(order + count) + index * struct.calcsize(order + entry)
            tag, kind, _, value = struct.unpack_from(order + entry, data, start)
            if tag in (256, 257):
                (side,) = struct.unpack_from(order + kinds[kind], value)
                sides[tag] = max(side, sides.get(tag, 0))  # said twice, by somebody hostile
    except (struct.error, KeyError, OverflowError):
        return None
    return (sides[257], sides[256]) if len(sides) == 2 else None


def _jpeg2000_size(data: bytes) -> tuple[int, int] | None:
    """Read the SIZ segment of the code stream (ITU-T T.800, A.5.1)."""
    place = data.find(_JPEG2000[0])
    if place < 0 or len(data) < place + 24:
        return None
    right, bottom, left, top = struct.unpack_from('>IIII', data, place + 8)
    return max(0, bottom - top), max(0, right - left)


def _radiance_size(data: bytes) -> tuple[int, int] | None:
    """Read the resolution line of a .hdr, which Pillow does not (radsite.lbl.gov, filefmts)."""
    found = _RADIANCE.search(data[: 1 << 16])
    return (int(found[1]), int(found[2])) if found else None


def _pillow_size(data: bytes, kinds: Sequence[str]) -> tuple[int, int] | None:
    Image.init()
    try:
        with Image.open(io.BytesIO(data), formats=[k for k in kinds if k in Image.OPEN]) as image:
            return image.height, image.width
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        found = re.search(r'\((\d+) pixels\)', str(error))
        return (1, int(found[1])) if found else None
    except Exception:  # its readers raise whatever a damaged file makes go wrong
        return None
