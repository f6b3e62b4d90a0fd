"""Pixels whose depth is known, and the fit of a prediction to them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmdpt.errors import InputError
from mmdpt.evaluation.depth_alignment import fit_scale_and_shift
from mmdpt.files.list_files import parse_each, read_lines

HEADER = ('column', 'row', 'depth')


class KnownPoints(NamedTuple):
    """Depths measured at pixels of an image; the centre of its upper left pixel is (0, 0)."""

    columns: np.ndarray
    """(n,) [px], rightwards."""
    rows: np.ndarray
    """(n,) [px], downwards."""
    metres: np.ndarray
    """(n,) [m], along the optical axis."""

    def fit(self, disparity: np.ndarray, name: str) -> tuple[float, float]:
        """Give the scale and shift that bring a disparity closest to the points' inverse depths.

        Least squares of disparities (MiDaS, arXiv:1907.01341): near points count most. The
        disparity, (H, W) float64, is up to scale and shift; errors name the image.

        Raises:
            InputError: If there are fewer than two points, one is outside the image or has no
                finite prediction, all have the same prediction, or the prediction has near and far
                the wrong way round.
        """
        at_points = self._read(disparity, name)
        if np.ptp(at_points) <= 1e-6 * np.abs(at_points).max():  # to within float32's rounding
            raise InputError(
                f'{name}: the prediction is the same at all {len(at_points)} known points; '
                'choose some nearer and some farther'
            )
        scale, shift = fit_scale_and_shift(at_points, 1 / self.metres)
        if scale <= 0:
            raise InputError(
                f'{name}: the known points contradict the prediction: what it has nearer is '
                f'farther (scale {scale:.3g}). Is their order column,row and their depth in metres?'
            )
        return scale, shift

    def _read(self, disparity: np.ndarray, name: str) -> np.ndarray:
        """Give the finite disparities at the points, (n,)."""
        height, width = disparity.shape
        if len(self.metres) < 2:
            raise InputError(
                f'{name}: scale and shift need two known points, got {len(self.metres)}'
            )
        columns, rows = (np.rint(pixels).astype(int) for pixels in (self.columns, self.rows))
        outside = (columns < 0) | (columns >= width) | (rows < 0) | (rows >= height)
        if outside.any():
            k = outside.argmax()
            raise InputError(
                f'{name}: known point ({columns[k]}, {rows[k]}) is outside the image of '
                f'{width} x {height} px'
            )
        at_points = disparity[rows, columns]
        if not np.isfinite(at_points).all():
            k = np.isfinite(at_points).argmin()
            raise InputError(
                f'{name}: no finite prediction at known point ({columns[k]}, {rows[k]})'
            )
        return at_points


def read_known_points(path: str | Path) -> KnownPoints:
    """Read a CSV file with the header ``column,row,depth``: pixels [px] and depth [m].

    Raises:
        InputError: If the file is missing, is not text, has another header or has no point; if a
            line is not three numbers, a pixel is negative or a depth is not positive.
    """
    lines = [(number, next(csv.reader([text]))) for number, text in read_lines(path)]
    header = tuple(name.strip().lower() for name in lines[0][1]) if lines else ()
    if header != HEADER:
        raise InputError(
            f'{path}: the first line must be {",".join(HEADER)}, got {",".join(header)!r}'
        )
    if len(lines) == 1:
        raise InputError(f'{path} holds no point below its header')
    return KnownPoints(*np.array(parse_each(path, lines[1:], _read_point)).T)


def _read_point(row: Sequence[str]) -> tuple[float, float, float]:
    if len(row) != len(HEADER):
        raise InputError(f'expected {",".join(HEADER)}, got {len(row)} values')
    try:
        column, line, depth = map(float, row)
    except ValueError as error:
        raise InputError(f'expected three numbers, got {",".join(row)!r}') from error
    if not (np.isfinite((column, line)).all() and min(column, line) >= 0):
        raise InputError(f'pixel ({row[0]}, {row[1]}) is not in an image')
    if not (np.isfinite(depth) and depth > 0):
        raise InputError(f'depth must be positive [m], got {row[2]}')
    return column, line, depth
