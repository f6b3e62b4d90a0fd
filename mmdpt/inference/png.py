"""PNG files of maps (16 bits) and of labels, with text inside that says what the numbers mean."""

import io
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mmdpt.errors import InputError
from mmdpt.files.atomic import write_atomically
from mmdpt.visualization.depth import colourise_normals

GREATEST = 65535
MILLIMETRES = 1000
"""Numbers for a metre, as in NYU's files."""


def write_map_png(path: str | Path, values: np.ndarray, unit: str) -> None:
    """Write a map as 16-bit PNG whose text chunks say ``value = offset + scale * number``.

    Depth is written in millimetres, as in NYU's files, and 0 means that there is none. All images
    have this scale, so depth beyond 65.534 m becomes 65535, "as far or farther", with one warning.
    To train or evaluate on such files, name 65535 in a data set's ``invalid_values``. .npy and .pfm
    keep every depth.

    Disparity, metric or relative, is stretched: its least finite number becomes 0, its greatest
    65535. NaN becomes 0 too, and the text ``missing`` counts it.

    The unit of the values, (H, W) float32, is 'm' for depth; '1/m' or '' for disparity.

    Raises:
        InputError: If the file cannot be written, or no disparity is finite.
    """
    numbers, text = _millimetres(values) if unit == 'm' else _stretched(path, values, unit)
    _write_png(path, numbers, text)


def write_labels_png(path: str | Path, labels: np.ndarray, classes: Sequence[str]) -> None:
    """Write labels, uint8 or uint16, as a grey PNG; the text ``classes`` has their names as JSON.

    Raises:
        InputError: If the file cannot be written.
    """
    text = dict(Description='class numbers from 0', classes=json.dumps(list(classes)))
    _write_png(path, labels, text)


def write_sky_png(path: str | Path, sky: np.ndarray) -> None:
    """Write a bool mask (H, W) as a grey PNG, white where the sky is.

    Raises:
        InputError: If the file cannot be written.
    """
    _write_png(path, sky.astype(np.uint8) * 255, dict(Description='255: sky'))


def write_normals_png(path: str | Path, normals: np.ndarray) -> None:
    """Write normals (H, W, 3) in their colours, 8 bits, see ``colourise_normals``.

    Raises:
        InputError: If the file cannot be written.
    """
    text = 'normal (right, up, to the camera) = number / 127.5 - 1; 0 0 0: none'
    _write_png(path, colourise_normals(normals), dict(Description=text))


def _millimetres(depth: np.ndarray) -> tuple[np.ndarray, dict[str, str]]:
    valid = ~np.isnan(depth) & (depth > 0)
    numbers = np.rint(np.where(valid, depth, 0).astype(np.float64) * MILLIMETRES)
    if (numbers >= GREATEST).any():
        # without the file's name, so that Python prints it once, not for every image
        warnings.warn(
            'depth beyond 65.534 m does not fit a 16-bit PNG of millimetres and is written as '
            '65535; .npy and .pfm keep it',
            stacklevel=4,
        )
    # a depth below half a millimetre is still a depth
    numbers = np.where(valid, np.clip(numbers, 1, GREATEST), 0).astype(np.uint16)
    text = dict(
        Description='depth [m] = number / 1000; 0: no depth; 65535: 65.535 m or more',
        unit='m',
        scale=repr(1 / MILLIMETRES),
        offset='0.0',
    )
    return numbers, text


def _stretched(
    path: str | Path, values: np.ndarray, unit: str
) -> tuple[np.ndarray, dict[str, str]]:
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        raise InputError(f'{path}: the map holds no finite number')
    low, high = float(finite.min()), float(finite.max())
    step = (high - low) / GREATEST
    missing = np.isnan(values)
    shares = (np.where(missing, low, values).astype(np.float64) - low) / (step or 1.0)
    numbers = np.rint(np.clip(shares, 0, GREATEST)).astype(np.uint16)
    what = f'disparity [{unit}]' if unit else 'relative disparity, larger is closer,'
    text = dict(
        Description=f'{what} = offset + scale * number',
        unit=unit or 'relative disparity',
        scale=repr(step),
        offset=repr(low),
        missing=str(int(missing.sum())),
    )
    return numbers, text


def _write_png(path: str | Path, numbers: np.ndarray, text: Mapping[str, str]) -> None:
    info = PngInfo()
    for key, value in text.items():
        info.add_text(key, value)
    buffer = io.BytesIO()
    Image.fromarray(numbers).save(buffer, 'PNG', pnginfo=info)
    write_atomically(path, buffer.getvalue())
