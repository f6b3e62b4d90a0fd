"""Portable float maps, one channel (netpbm.sourceforge.net/doc/pfm.html)."""

from pathlib import Path

import numpy as np

from mmdpt.files.atomic import write_atomically


def write_pfm(path: str | Path, values: np.ndarray) -> None:
    """Write (H, W) or (H, W, 1) as little-endian float32, bottom row first, as isl-org/MiDaS does.

    The scale in the header is -1: the sign means little-endian, and a reader that multiplies by the
    absolute value changes nothing.

    Raises:
        InputError: If the file cannot be written.
        ValueError: If the array has another shape.
    """
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim != 2:
        raise ValueError(f'a PFM of one channel holds (H, W), got shape {values.shape}')
    height, width = values.shape
    header = f'Pf\n{width} {height}\n-1.000000\n'.encode()
    write_atomically(path, header + values[::-1].astype('<f4').tobytes())
