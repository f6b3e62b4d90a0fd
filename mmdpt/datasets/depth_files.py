"""Read depth files: PNG, TIFF, PFM, NPY, Sintel's DPT, raw numbers."""

import io
import math
import os
import re
from collections.abc import Sequence

import cv2
import numpy as np

from mmdpt.errors import InputError, check_choice
from mmdpt.files.image_checks import check_image, check_pixels, read_whole

ENCODINGS = ('raw_float32', 'uint16_rotated_by_3')
"""Encodings that a file's suffix does not tell, see ``read_depth_file``."""

SINTEL_TAG = 202021.25  # also that of Middlebury's .flo; its bytes spell 'PIEH'
_PFM_HEADER = re.compile(rb'(P[Ff])\s+(\d+)\s+(\d+)\s+([-+.\deE]+)\s')


def read_depth_file(
    path: str,
    backend_args: dict | None = None,
    encoding: str | None = None,
    shape: Sequence[int] | None = None,
) -> np.ndarray:
    """Read the values of a depth, disparity or mask file as they are.

    Args:
        path: File ending in .png, .tif, .tiff, .pfm, .npy or .dpt; any name with 'raw_float32'.
        backend_args: Arguments of MMEngine's file backend.
        encoding: None: the suffix determines the format. 'raw_float32': little-endian rows without
            a header, as in ETH3D. 'uint16_rotated_by_3': the bits of each number are rotated left
            by 3, as in SUN RGB-D.
        shape: Height and width of the image [px], for a file without a header.

    Returns:
        Array (H, W) in the file's number type.

    Raises:
        InputError: If the suffix is unknown, or the file is missing, unreadable, does not fit its
            encoding or has more than one channel.
        ValueError: If the encoding is unknown.
    """
    check_choice('encoding', encoding, (None, *ENCODINGS))
    suffix = os.path.splitext(path)[1].lower()
    if encoding != 'raw_float32' and suffix not in _DECODERS:
        raise InputError(f'depth file {path} must end in one of {", ".join(_DECODERS)}')
    try:
        values = _decode(read_whole(path, backend_args), suffix, encoding, shape)
    except (OSError, ValueError, EOFError, cv2.error) as error:
        raise InputError(f'cannot read depth file {path}: {error}') from error
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim != 2:
        raise InputError(f'depth file {path} has shape {values.shape}: expected one channel (H, W)')
    height, width = values.shape
    check_pixels(height, width, f'depth file {path}')
    if values.dtype.kind not in 'uifb':
        raise InputError(f'depth file {path} holds {values.dtype}: expected real numbers')
    return values


def _decode(
    data: bytes, suffix: str, encoding: str | None, shape: Sequence[int] | None
) -> np.ndarray:
    if encoding == 'raw_float32':
        return _decode_raw(data, shape)
    values = _DECODERS[suffix](data)
    return _rotate_back(values) if encoding == 'uint16_rotated_by_3' else values


def _decode_image(data: bytes) -> np.ndarray:
    check_image(data)
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError('it is no whole image')
    return values


def _decode_npy(data: bytes) -> np.ndarray:
    """Compare the header with the bytes that follow first: NumPy allocates what a header claims."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:  # 3.0 only adds field names beyond ASCII
        raise ValueError(f'it is of NPY version {version}')
    try:
        shape, _, dtype = read[version](file)
    except Exception as error:  # NumPy parses Python: also TokenError and TypeError
        raise ValueError(f'its header is damaged: {error}') from error
    expected = math.prod(shape) * dtype.itemsize
    if expected != len(data) - file.tell() or min(shape, default=1) < 0:
        raise ValueError(
            f'{len(data) - file.tell()} bytes for {dtype} of shape {shape}, which has {expected}'
        )
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)


def _decode_pfm(data: bytes) -> np.ndarray:
    """Portable float map (netpbm.sourceforge.net/doc/pfm.html), rows from the bottom up.

    The scale's sign gives the byte order. Its value is ignored, as in Middlebury's and Sintel's
    readers; OpenCV multiplies by it.
    """
    header = _PFM_HEADER.match(data)
    if header is None:
        raise ValueError('it has no PFM header')
    channels = 3 if header[1] == b'PF' else 1
    width, height, scale = int(header[2]), int(header[3]), float(header[4])
    values = np.frombuffer(data, '<f4' if scale < 0 else '>f4', offset=header.end())
    if values.size != width * height * channels:
        raise ValueError(f'{values.size} numbers for {width} x {height} x {channels}')
    shape = (height, width) if channels == 1 else (height, width, channels)
    return values.reshape(shape)[::-1].astype(np.float32)


def _decode_dpt(data: bytes) -> np.ndarray:
    """Sintel's depth: tag, width, height, rows from the top down, all little-endian.

    The format is that of the reader that comes with the depth (sintel.is.tue.mpg.de/depth);
    Junyi42/monst3r has a copy.
    """
    if len(data) < 12 or np.frombuffer(data, '<f4', count=1)[0] != SINTEL_TAG:
        raise ValueError(f'it does not begin with the tag {SINTEL_TAG}')
    width, height = np.frombuffer(data, '<i4', count=2, offset=4).tolist()
    if width < 1 or height < 1:
        raise ValueError(f'its header says {width} x {height} px')
    return _decode_raw(data[12:], (height, width))


def _decode_raw(data: bytes, shape: Sequence[int] | None) -> np.ndarray:
    """Rows of float32 from the top down (eth3d.net/documentation, training data)."""
    if shape is None:
        raise ValueError('it has no header, and the size of its image is not known')
    height, width = shape[:2]
    if len(data) != 4 * width * height:
        raise ValueError(f'{len(data)} bytes for {width} x {height} numbers of 4')
    return np.frombuffer(data, '<f4').reshape(height, width).astype(np.float32)


def _rotate_back(values: np.ndarray) -> np.ndarray:
    """Undo SUN RGB-D's rotation (its toolbox's read3dPoints.m; PrincetonVision/SUN3Dsfm)."""
    if values.dtype != np.uint16:
        raise ValueError(f'it holds {values.dtype}: expected uint16 with its bits rotated')
    return (values >> 3) | (values << 13)


_DECODERS = {
    '.png': _decode_image,
    '.tif': _decode_image,
    '.tiff': _decode_image,
    '.pfm': _decode_pfm,
    '.npy': _decode_npy,
    '.dpt': _decode_dpt,
}
