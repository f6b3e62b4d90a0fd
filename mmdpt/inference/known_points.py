"""Pixels of an image whose depth is known."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmdpt.errors import InputError

HEADER = ('column', 'row', 'depth')


class KnownPoints(NamedTuple):
    """Depths measured at pixels of an image; the centre of its upper left pixel is (0, 0)."""

    columns: np.ndarray
    """(n,) [px], rightwards."""
    rows: np.ndarray
    """(n,) [px], downwards."""
    metres: np.ndarray
    """(n,), along the optical axis."""


def read_known_points(path: str | Path) -> KnownPoints:
    """Read a CSV file with the header ``column,row,depth``: pixels [px] and depth [m].

    Raises:
        InputError: If the file is missing, no text, or has no point; if its header is another; if
            a line is not three numbers, a pixel is negative or a depth not positive, naming the
            line.
    """
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, 'strerror', None) or error
        raise InputError(f'cannot read known points {path}: {reason}') from error
    header = tuple(name.strip().lower() for name in lines[0][1]) if lines else ()
    if header != HEADER:
        raise InputError(
            f'{path}: the first line must be {",".join(HEADER)}, got {",".join(header)!r}'
        )
    if len(lines) == 1:
        raise InputError(f'{path} holds no point below its header')
    points = np.array([_read_point(f'{path}, line {number}', row) for number, row in lines[1:]])
    return KnownPoints(*points.T)


def _read_point(place: str, row: Sequence[str]) -> tuple[float, float, float]:
    if len(row) != len(HEADER):
        raise InputError(f'{place}: expected {",".join(HEADER)}, got {len(row)} values')
    try:
        column, line, depth = map(float, row)
    except ValueError as error:
        raise InputError(f'{place}: expected three numbers, got {",".join(row)!r}') from error
    if not (np.isfinite((column, line)).all() and min(column, line) >= 0):
        raise InputError(f'{place}: pixel ({row[0]}, {row[1]}) is not in an image')
    if not (np.isfinite(depth) and depth > 0):
        raise InputError(f'{place}: depth must be positive [m], got {row[2]}')
    return column, line, depth
