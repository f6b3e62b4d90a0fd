"""Check an image file's size and that it is complete, before any pixel is decoded."""

import io
import os
import re
import struct
import zlib

from mmengine import fileio
from PIL import Image, UnidentifiedImageError

from mmdpt.errors import InputError

GREATEST_PIXELS = 178_956_970
"""Most pixels of an image or map that we read, as in Pillow: 0.5 GiB as 8-bit RGB.

A file of a few kilobytes can claim 2^30 pixels (OpenCV's limit), which fill the memory.
"""
GREATEST_FILE = 2 << 30
"""Most bytes of an image or map file that we read."""
PIXELS_VARIABLE = 'MMDPT_MAX_PIXELS'
"""Environment variable that overrides ``GREATEST_PIXELS``."""
FORMATS = (
    *('AVIF', 'BMP', 'DIB', 'GIF', 'JPEG', 'JPEG2000', 'MPO', 'PNG', 'PPM'),
    *('SUN', 'TIFF', 'WEBP'),
)
"""Formats that we read, by Pillow's names; some of its others start programs (EPS: Ghostscript)."""

_PNG, _PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND'
_JPEG, _JPEG_END = b'\xff\xd8\xff', b'\xff\xd9'
_JPEG2000 = (b'\xff\x4f\xff\x51', b'\0\0\0\x0cjP  \r\n\x87\n')
_TIFF = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
_MARKER = re.compile(rb'\xff+([^\x00\xff\xd0-\xd7])')  # neither stuffing nor a restart
_END, _SCAN = 0xD9, 0xDA
_WITHOUT_LENGTH = (0x01, 0xD8)
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF markers (ITU-T T.81, table B.1), without DHT, JPG and DAC in the same range."""
_RADIANCE = re.compile(rb'[-+][XY] +(\d+) +[-+][XY] +(\d+)\n')


def known_formats() -> list[str]:
    """Give those of ``FORMATS`` that this Pillow reads."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def greatest_pixels() -> int:
    """Give the limit of pixels: ``GREATEST_PIXELS``, or the environment variable's number.

    Raises:
        InputError: If the variable is no whole number greater than 0.
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
        InputError: If it has more pixels than ``greatest_pixels`` allows; names both numbers.
    """
    limit = greatest_pixels()
    if height * width > limit:
        raise InputError(
            f'{name} has {width} x {height} = {height * width} px, more than the {limit} that are '
            f'read; where you trust the file, raise the limit: {PIXELS_VARIABLE}={height * width}'
        )


def read_whole(path: str, backend_args: dict | None = None) -> bytes:
    """Read the bytes of an image or map file, or address, by MMEngine's file backends.

    Raises:
        ValueError: If the file is too large, irregular, empty, cut short or damaged, see
            ``check_file_size`` and ``check_whole``.
        OSError: If it cannot be read.
    """
    check_file_size(path)
    data = fileio.get(path, backend_args)
    check_whole(data)
    return data


def check_file_size(path: str | os.PathLike) -> None:
    """Check the size of a local file before it is read.

    Raises:
        InputError: If it has more bytes than ``GREATEST_FILE``, or is no regular file, which may
            be endless.
    """
    try:
        if not os.path.isfile(path):
            if os.path.exists(path) and not os.path.isdir(path):
                raise InputError(f'{path} is no regular file')
            return
        size = os.path.getsize(path)
    except ValueError as error:  # a name with NUL
        raise InputError(f'{os.fsdecode(path)!r} is no name of a file: {error}') from error
    if size > GREATEST_FILE:
        raise InputError(f'{path} has {size} bytes, more than the {GREATEST_FILE} that are read')


def check_image(data: bytes) -> None:
    """Check an encoded image's size by its header, without decoding it or starting a program.

    Raises:
        InputError: If the format is none of ``FORMATS``, or ``check_pixels`` refuses the size.
    """
    size = image_size(data)
    if size is None:
        raise InputError(f'it is no whole image of a kind that is read ({", ".join(FORMATS)})')
    check_pixels(*size, 'it')


def check_whole(data: bytes) -> None:
    """Refuse damaged files that decoders accept: a JPEG cut short, a PNG with wrong checksums.

    OpenCV 4 and Pillow with ``LOAD_TRUNCATED_IMAGES`` fill the rest of a JPEG with grey; OpenCV 5
    does not. Pillow, which reads labels, ignores the checksums of a PNG's pixels. OpenCV 5 checks
    them, but first allocates what a chunk claims to hold, up to 2 GiB. The decoders of TIFF, BMP
    and WebP refuse files that are cut short.

    Raises:
        ValueError: If there are no bytes, a JPEG has no end, or a PNG has none or is damaged.
    """
    if not data:
        raise ValueError('it is empty')
    if data.startswith(_JPEG) and not _has_end(data):
        raise ValueError('it is a JPEG cut short: its end marker is missing')
    if data.startswith(_PNG):
        _check_chunks(data)


def image_size(data: bytes) -> tuple[int, int] | None:
    """Read height and width [px] from the header; None if the header is not understood.

    Pillow reads the headers of most formats. We read PNG and JPEG because training reads many and
    Pillow is slower, TIFF because Pillow does not know all of its number types, and JPEG 2000
    because Pillow believes the container.
    """
    if data.startswith(_PNG):
        return _png_size(data)
    if data.startswith(_JPEG):
        return _jpeg_size(data)
    if data.startswith(_TIFF):
        return _tiff_size(data)
    if data.startswith(_JPEG2000):
        return _jpeg2000_size(data)
    if data.startswith(b'#?'):
        return _radiance_size(data)
    return _pillow_size(data)


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Read IHDR, which is the first chunk (PNG, 3rd edition, 5.6)."""
    if len(data) < 24 or data[12:16] != b'IHDR':
        return None
    width, height = struct.unpack('>II', data[16:24])
    return height, width


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the marker segments to the frame header (ITU-T T.81, B.1.1 and B.2.2)."""
    place = 2
    while marker := _MARKER.search(data, place):
        code, place = marker[1][0], marker.end()
        if code in (_END, _SCAN) or (code not in _WITHOUT_LENGTH and len(data) < place + 7):
            return None  # no frame comes before them
        if code in _FRAME_HEADERS:
            height, width = struct.unpack('>HH', data[place + 3 : place + 7])
            return height, width
        if code not in _WITHOUT_LENGTH:
            place += struct.unpack('>H', data[place : place + 2])[0]
    return None


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
                sides[tag] = max(side, sides.get(tag, 0))  # a hostile file may give two
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


def _pillow_size(data: bytes) -> tuple[int, int] | None:
    try:
        with Image.open(io.BytesIO(data), formats=known_formats()) as image:
            return image.height, image.width
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        found = re.search(r'\((\d+) pixels\)', str(error))
        return (1, int(found[1])) if found else None
    except Exception:  # a damaged file makes Pillow's readers raise anything
        return None


def _has_end(data: bytes) -> bool:
    """Tell whether an end marker follows the scans; the one of an embedded thumbnail does not.

    A segment has two bytes of length after its marker; entropy-coded data has none. Other bytes
    may follow the end (ITU-T T.81, sections B.1.1.2 to B.1.1.5).
    """
    if data.endswith(_JPEG_END):
        return True
    position = 2
    while marker := _MARKER.search(data, position):
        code, position = marker[1][0], marker.end()
        if code == _END:
            return True
        if code not in _WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2], 'big')
    return False


def _check_chunks(data: bytes) -> None:
    """Walk a PNG's chunks: length, kind, content, checksum (PNG, 3rd edition, 5.3)."""
    view, position, kind = memoryview(data), len(_PNG), b''
    while kind != _PNG_END:
        kind = data[position + 4 : position + 8]
        end = position + 8 + int.from_bytes(data[position : position + 4], 'big')
        if end + 4 > len(data):
            raise ValueError('it is a PNG cut short: its last chunk is missing')
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(data[end : end + 4], 'big'):
            raise ValueError(f'it is a damaged PNG: its chunk {kind!r} has a wrong checksum')
        position = end + 4
