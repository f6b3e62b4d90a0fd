"""The prediction for one image, in the pixels of that image and with its unit."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.files.atomic import write_npy
from mmdpt.visualization.depth import (
    RELATIVE,
    colour_range,
    colourise_depth,
    colours_of,
    depth_panel,
)
from mmdpt.visualization.segmentation import default_palette, overlay, overlay_with_classes
from mmdpt.visualization.tiling import beside

from .known_points import KnownPoints
from .pfm import write_pfm
from .png import write_labels_png, write_map_png
from .point_cloud import Intrinsics, PointCloud

PLOT_WIDTHS = (240, 960)
"""Least and greatest width of a picture in a plot [px], so that legends can be read."""
MAP_SUFFIXES = ('.npy', '.pfm', '.png', '.ply')
LABEL_SUFFIXES = ('.npy', '.png')


@dataclass(frozen=True, eq=False)
class Prediction:
    """Depth or disparity, labels, or both, for one image.

    Args:
        image: (H, W, 3) uint8 RGB.
        name: Name of the image, for people and for file names.
        map: (H, W) float32; None if the model predicts no depth.
        output: What the map is: 'relative', disparity up to scale and shift, larger is closer;
            'disparity' [1/m]; 'depth' [m], along the optical axis.
        unit: The map's unit: '', '1/m' or 'm'.
        is_metric: Whether the map has a unit.
        labels: (H, W) uint8 or uint16; None if the model predicts no labels.
        classes: Names of the label values.
        palette: RGB colours of the label values.
        focal: The focal length that the depth was computed with and where it is from, such as
            '812 px (EXIF)'; '' for a model whose depth does not depend on it.

    Raises:
        ValueError: If there is neither map nor labels, or one differs from the image in size.
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
    focal: str = ''

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
        """Give depth [m], (H, W) float32, which is infinite where a disparity is zero or less.

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
        """Turn the map into depth [m] by a scale and a shift of its disparity.

        Both are found by least squares, see ``KnownPoints.fit``; a fractional pixel is rounded.
        Depth is infinite where the aligned disparity is zero or less.

        Raises:
            InputError: If there is no map or the points do not fit it.
        """
        values = self._map()
        disparity = _inverse(values) if self.output == 'depth' else values.astype(np.float64)
        scale, shift = points.fit(disparity, self.name)
        return dataclasses.replace(
            self,
            map=_metres(scale * disparity + shift),
            output='depth',
            unit='m',
            is_metric=True,
        )

    def colour_map(self, low: float | None = None, high: float | None = None) -> np.ndarray:
        """Colour the map, bright is near; without a map, lay the labels over the image.

        The colours go from ``low`` to ``high``, in the map's unit, by default from the 2nd to the
        98th percentile. Gives (H, W, 3) uint8 RGB.

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

        Large images are reduced and small ones enlarged, so that legends can be read.

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
        """Write the map, or without a map the labels, in the format of the suffix.

        The file appears complete or not at all.

        - .npy: float32, with NaN and infinity.
        - .pfm: the same, bottom row first.
        - .png: 16 bits, see ``write_map_png``; text in the file says how to invert it.
        - .ply: point cloud, see ``to_pointcloud``.

        ``save_labels`` writes the labels.

        Args:
            path: File in an existing folder.
            intrinsics: The camera, for .ply only; or else ``field_of_view``.
            field_of_view: Horizontal field of view [deg], for .ply only.

        Raises:
            InputError: If the suffix is unknown, a point cloud cannot be made, or the file cannot
                be written.
        """
        if self.map is None:
            self.save_labels(path)
            return
        suffix = Path(path).suffix.lower()
        if suffix == '.npy':
            write_npy(path, self.map)
        elif suffix == '.pfm':
            write_pfm(path, self.map)
        elif suffix == '.png':
            write_map_png(path, self.map, self.unit)
        elif suffix == '.ply':
            self.to_pointcloud(intrinsics, field_of_view).save(path)
        else:
            raise InputError(f'{path}: a map is saved as one of {", ".join(MAP_SUFFIXES)}')

    def save_labels(self, path: str | Path) -> None:
        """Write the label values as .npy or .png, in the number type of the labels.

        Raises:
            InputError: If there are no labels, the suffix is unknown or the file cannot be written.
        """
        labels, suffix = self._labels(), Path(path).suffix.lower()
        if suffix == '.npy':
            write_npy(path, labels)
        elif suffix == '.png':
            write_labels_png(path, labels, self.classes)
        else:
            raise InputError(f'{path}: labels are saved as one of {", ".join(LABEL_SUFFIXES)}')

    def to_pointcloud(
        self, intrinsics: Intrinsics | None = None, field_of_view: float | None = None
    ) -> PointCloud:
        """Place every pixel of positive, finite depth in space; give one of the arguments.

        Args:
            intrinsics: The camera, in the pixels of the image.
            field_of_view: Horizontal [deg], of a camera with square pixels whose optical axis goes
                through the middle of the image.

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


def _inverse(values: np.ndarray) -> np.ndarray:
    """Turn disparity into depth or back, float64; values of zero or less become infinite."""
    values = values.astype(np.float64)
    with np.errstate(divide='ignore'):
        return 1 / np.where(values <= 0, 0.0, values)


def _metres(disparity: np.ndarray) -> np.ndarray:
    with np.errstate(over='ignore'):  # farther than float32 reaches is infinite
        return _inverse(disparity).astype(np.float32)
