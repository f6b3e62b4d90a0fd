"""What a model says about one image: in that image's own pixels, with its unit."""

import dataclasses
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.evaluation.depth_alignment import fit_scale_and_shift
from mmdpt.files.atomic import write_atomically
from mmdpt.visualization.depth import (
    RELATIVE,
    colour_range,
    colourise_depth,
    colours_of,
    depth_panel,
)
from mmdpt.visualization.layout import beside
from mmdpt.visualization.segmentation import default_palette, overlay, overlay_with_classes

from .known_points import KnownPoints
from .pfm import write_pfm
from .png import write_labels_png, write_map_png
from .point_cloud import Intrinsics, PointCloud

PLOT_WIDTHS = (240, 960)
"""Least and greatest width of a picture in a plot [px], for the legends to be read."""
MAP_SUFFIXES = ('.npy', '.pfm', '.png', '.ply')
LABEL_SUFFIXES = ('.npy', '.png')


@dataclass(frozen=True, eq=False)
class Prediction:
    """Depth or disparity, labels, or both, of one image.

    Args:
        image: (H, W, 3) uint8 RGB.
        name: Of the image, for people and file names.
        map: (H, W) float32; None for a model without depth.
        output: What the map is: 'relative', disparity up to scale and shift, larger is closer;
            'disparity' [1/m]; 'depth' [m], along the optical axis.
        unit: Of the map: '', '1/m' or 'm'.
        is_metric: Whether the map has a unit.
        labels: (H, W) uint8 or uint16; None for a model without segmentation.
        classes: Names of the label values.
        palette: RGB of the label values.

    Raises:
        ValueError: If there is neither map nor labels, or one is of another size than the image.
    """

    image: np.ndarray
    name: str
    map: np.ndarray | None = None
    output: Literal['relative', 'disparity', 'depth'] | None = None
    unit: str = ''
    is_metric: bool = False
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.map is None and self.labels is None:
            raise ValueError(f'{self.name}: a prediction has a map, labels or both')
        if (self.map is None) != (self.output is None):
            raise ValueError(f'{self.name}: a map and what it is go together: {self.output!r}')
        for values in (self.map, self.labels):
            if values is not None and values.shape != self.image.shape[:2]:
                raise ValueError(
                    f'{self.name}: prediction is {values.shape}, image {self.image.shape[:2]}'
                )

    def depth(self) -> np.ndarray:
        """Give depth [m], (H, W) float32; infinite where a disparity is zero or less.

        Raises:
            InputError: If there is no depth, or it is relative.
        """
        if self.output == 'relative':
            raise InputError(
                f'{self.name}: relative disparity has no scale, so it cannot become metres; '
                'align it to known points first: align'
            )
        values = self._map()
        return values if self.output == 'depth' else _metres(values)

    def align(self, points: KnownPoints) -> 'Prediction':
        """Bring the map to depth [m] by a scale and a shift of its disparity.

        Both by least squares to the inverse of the known depths (MiDaS, arXiv:1907.01341): what is
        near counts most. Depth is infinite where the aligned disparity is zero or less.

        Args:
            points: Two or more, at different predictions; a fractional pixel is the nearest one.

        Returns:
            The same prediction with depth [m] for its map.

        Raises:
            InputError: If there is no map, there are fewer than two points, one is outside the
                image or has no finite prediction, all have the same prediction, or what is
                predicted nearer is farther.
        """
        values = self._map()
        disparity = _inverse(values) if self.output == 'depth' else values.astype(np.float64)
        at_points = self._at(disparity, points)
        if np.ptp(at_points) <= 1e-6 * np.abs(at_points).max():  # to within float32's rounding
            raise InputError(
                f'{self.name}: the prediction is the same at all {len(at_points)} known points; '
                'choose some nearer and some farther'
            )
        scale, shift = fit_scale_and_shift(at_points, 1 / points.metres)
        if scale <= 0:
            raise InputError(
                f'{self.name}: the known points contradict the prediction: what it has nearer is '
                f'farther (scale {scale:.3g}). Is their order column,row and their depth in metres?'
            )
        return dataclasses.replace(
            self,
            map=_metres(scale * disparity + shift),
            output='depth',
            unit='m',
            is_metric=True,
        )

    def colour_map(self, low: float | None = None, high: float | None = None) -> np.ndarray:
        """Colour the map: bright is near, dark is far; or else lay the labels over the image.

        Args:
            low: In the map's unit; None: the 2nd percentile.
            high: None: the 98th percentile.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            InputError: If no number of the map is finite.
        """
        if self.map is None:
            return overlay(self.image, self._labels(), self._colours())
        least, greatest = self._range()
        return colourise_depth(
            self.map,
            least if low is None else low,
            greatest if high is None else high,
            colours_of(self.unit),
        )

    def plot(self) -> Image.Image:
        """Draw image | map with its colour scale | labels with the names of their classes.

        Large images are reduced and small ones enlarged, for the legends to be read.

        Raises:
            InputError: If no number of the map is finite.
        """
        height, width = self.image.shape[:2]
        drawn = int(np.clip(width, *PLOT_WIDTHS))
        size = drawn, max(1, round(height * drawn / width))
        image = cv2.resize(
            self.image, size, interpolation=cv2.INTER_AREA if drawn < width else cv2.INTER_CUBIC
        )
        panels = [image]
        if self.map is not None:
            self._range()
            values = cv2.resize(self.map, size, interpolation=cv2.INTER_NEAREST)
            panels = [depth_panel(image, None, values, self.unit or RELATIVE)]
        if self.labels is not None:
            labels = cv2.resize(self.labels, size, interpolation=cv2.INTER_NEAREST)
            panels.append(overlay_with_classes(image, labels, self.classes, self._colours()))
        return Image.fromarray(beside(panels))

    def save(
        self,
        path: str | Path,
        intrinsics: Intrinsics | None = None,
        field_of_view: float | None = None,
    ) -> None:
        """Write the map, or the labels where there is no map, in the format of the suffix.

        Under its name the file is whole or not there.

        - .npy: float32 as it is, NaN and infinity included.
        - .pfm: the same, bottom row first.
        - .png: 16 bits, see ``write_map_png``; text in the file says how to invert it.
        - .ply: point cloud, see ``to_pointcloud``.

        Labels: see ``save_labels``.

        Args:
            path: File in an existing folder.
            intrinsics: For .ply only: this or ``field_of_view``.
            field_of_view: For .ply only: horizontal [deg].

        Raises:
            InputError: If the suffix is another, a point cloud cannot be made, or the file cannot
                be written.
        """
        if self.map is None:
            self.save_labels(path)
            return
        suffix = Path(path).suffix.lower()
        if suffix == '.npy':
            _write_npy(path, self.map)
        elif suffix == '.pfm':
            write_pfm(path, self.map)
        elif suffix == '.png':
            write_map_png(path, self.map, self.unit)
        elif suffix == '.ply':
            self.to_pointcloud(intrinsics, field_of_view).save(path)
        else:
            raise InputError(f'{path}: a map is saved as one of {", ".join(MAP_SUFFIXES)}')

    def save_labels(self, path: str | Path) -> None:
        """Write the label values, as .npy or .png of 8 or 16 bits, the number type of the labels.

        Raises:
            InputError: If there are no labels, the suffix is another or the file cannot be written.
        """
        labels, suffix = self._labels(), Path(path).suffix.lower()
        if suffix == '.npy':
            _write_npy(path, labels)
        elif suffix == '.png':
            write_labels_png(path, labels, self.classes)
        else:
            raise InputError(f'{path}: labels are saved as one of {", ".join(LABEL_SUFFIXES)}')

    def to_pointcloud(
        self, intrinsics: Intrinsics | None = None, field_of_view: float | None = None
    ) -> PointCloud:
        """Place every pixel of positive, finite depth in space; exactly one argument is needed.

        Args:
            intrinsics: Of the camera, in the pixels of the image.
            field_of_view: Horizontal [deg]: square pixels, optical axis through the middle.

        Raises:
            InputError: If both or neither is given, one is out of range, or depth is not metric.
        """
        if (intrinsics is None) == (field_of_view is None):
            raise InputError(
                f'{self.name}: a point cloud needs either the intrinsics of the camera or its '
                'field of view'
            )
        depth = self.depth()
        if intrinsics is None:
            assert field_of_view is not None
            height, width = depth.shape
            intrinsics = Intrinsics.from_field_of_view(field_of_view, width, height)
        return PointCloud.from_depth(depth, self.image, intrinsics)

    def _map(self) -> np.ndarray:
        if self.map is None:
            raise InputError(f'{self.name}: the model predicts labels, not depth')
        return self.map

    def _labels(self) -> np.ndarray:
        if self.labels is None:
            raise InputError(f'{self.name}: the model predicts depth, not labels')
        return self.labels

    def _colours(self) -> tuple[tuple[int, int, int], ...] | list[list[int]]:
        return self.palette or default_palette(len(self.classes) or 255)

    def _range(self) -> tuple[float, float]:
        try:
            return colour_range(self._map())
        except ValueError as error:
            raise InputError(f'{self.name}: {error}') from error

    def _at(self, disparity: np.ndarray, points: KnownPoints) -> np.ndarray:
        """Give the finite disparities at the points, (n,)."""
        height, width = disparity.shape
        if len(points.metres) < 2:
            raise InputError(
                f'{self.name}: scale and shift need two known points, got {len(points.metres)}'
            )
        columns, rows = (np.rint(pixels).astype(int) for pixels in (points.columns, points.rows))
        outside = (columns < 0) | (columns >= width) | (rows < 0) | (rows >= height)
        if outside.any():
            k = outside.argmax()
            raise InputError(
                f'{self.name}: known point ({columns[k]}, {rows[k]}) is outside the image of '
                f'{width} x {height} px'
            )
        at_points = disparity[rows, columns]
        if not np.isfinite(at_points).all():
            k = np.isfinite(at_points).argmin()
            raise InputError(
                f'{self.name}: no finite prediction at known point ({columns[k]}, {rows[k]})'
            )
        return at_points


def _inverse(values: np.ndarray) -> np.ndarray:
    """Turn disparity into depth or back, float64; what is zero or less becomes infinite."""
    values = values.astype(np.float64)
    with np.errstate(divide='ignore'):
        return 1 / np.where(values <= 0, 0.0, values)


def _metres(disparity: np.ndarray) -> np.ndarray:
    with np.errstate(over='ignore'):  # farther than float32 reaches is infinite
        return _inverse(disparity).astype(np.float32)


def _write_npy(path: str | Path, values: np.ndarray) -> None:
    buffer = io.BytesIO()  # into a file, NumPy does not say why it cannot write
    np.lib.format.write_array(buffer, values, allow_pickle=False)
    write_atomically(path, buffer.getvalue())
