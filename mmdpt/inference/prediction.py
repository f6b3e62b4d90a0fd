"""The prediction for one image, in the pixels of that image and with its unit."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.files.atomic import write_atomically, write_npy
from mmdpt.visualization.depth import (
    RELATIVE,
    colour_range,
    colourise_depth,
    colourise_normals,
    colours_of,
    depth_panel,
)
from mmdpt.visualization.segmentation import default_palette, overlay, overlay_with_classes
from mmdpt.visualization.tiling import beside

from .in_space import InSpace
from .known_points import KnownPoints
from .mesh import MOST_VERTICES
from .png import write_labels_png, write_map_png, write_normals_png, write_sky_png
from .point_cloud import Intrinsics

PLOT_WIDTHS = (240, 960)
"""Least and greatest width of a picture in a plot [px], so that legends can be read."""
MAP_SUFFIXES = ('.npy', '.pfm', '.png', '.ply', '.glb')


@dataclass(frozen=True, eq=False)
class Prediction(InSpace):
    """Depth or disparity, labels, or both, or surface normals, for one image.

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
        camera: The camera, if it is known: for points in space and, if the model's depth depends
            on the focal length, what the depth was computed with.
        focal: The camera's focal length and where it is from, such as '812 px (EXIF)', or ''.
        sky: (H, W) bool; None if the model has no sky branch.
        predicted_size: Height and width at which the network saw the image [px]; None: the image's.
        own_normals: (H, W, 3) float32, unit normals that the model itself predicts: to the camera's
            side; x right, y down, z forward. None if it predicts none.

    Raises:
        ValueError: If there is none of the three, or one differs from the image in size.
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
    camera: Intrinsics | None = None
    focal: str = ''
    sky: np.ndarray | None = None
    predicted_size: tuple[int, int] | None = None
    own_normals: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.map is None and self.labels is None and self.own_normals is None:
            raise ValueError(f'{self.name}: a prediction has a map, labels or both, or normals')
        if (self.map is None) != (self.output is None):
            raise ValueError(f'{self.name}: a map and what it is go together: {self.output!r}')
        for values in (self.map, self.labels, self.sky, self.own_normals):
            if values is not None and values.shape[:2] != self.image.shape[:2]:
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

        Without labels, too, the normals are coloured, see ``colourise_normals``.

        The colours go from ``low`` to ``high``, in the map's unit, by default from the 2nd to the
        98th percentile. Gives (H, W, 3) uint8 RGB.

        Raises:
            InputError: If no number of the map is finite.
        """
        if self.map is None and self.labels is None:
            return colourise_normals(self.normals())
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
        """Draw image | map with its colour scale | labels with their classes' names | normals.

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
        if self.own_normals is not None:
            drawn_normals = colourise_normals(self.own_normals)
            panels.append(cv2.resize(drawn_normals, size, interpolation=cv2.INTER_NEAREST))
        return Image.fromarray(beside(panels))

    def save(
        self,
        path: str | Path,
        intrinsics: Intrinsics | None = None,
        field_of_view: float | None = None,
        edge_threshold: float | None = None,
        max_vertices: float = MOST_VERTICES,
    ) -> None:
        """Write the map, without one the labels or the normals, in the format of the suffix.

        The file appears complete or not at all.

        - .npy: float32, with NaN and infinity.
        - .pfm: the same, bottom row first, little-endian (netpbm.sourceforge.net/doc/pfm.html).
        - .png: 16 bits, see ``write_map_png``; text in the file says how to invert it.
        - .ply: point cloud, see ``to_pointcloud``, which has the further arguments.
        - .glb: mesh, see ``to_mesh``, which has them too.

        ``save_labels``, ``save_normals`` and ``save_sky`` write the rest.

        Raises:
            InputError: If the suffix is unknown, points cannot be placed, or the file cannot be
                written.
        """
        if self.map is None:
            (self.save_normals if self.labels is None else self.save_labels)(path)
            return
        suffix = Path(path).suffix.lower()
        if suffix == '.npy':
            write_npy(path, self.map)
        elif suffix == '.pfm':
            pfm = cv2.imencode('.pfm', self.map.astype(np.float32))[1]
            write_atomically(path, pfm.tobytes())
        elif suffix == '.png':
            write_map_png(path, self.map, self.unit)
        elif suffix in ('.ply', '.glb'):
            mesh = partial(self.to_mesh, max_vertices=max_vertices)
            make = self.to_pointcloud if suffix == '.ply' else mesh
            how = {} if edge_threshold is None else dict(edge_threshold=edge_threshold)
            make(intrinsics, field_of_view, **how).save(path)
        else:
            raise InputError(f'{path}: a map is saved as one of {", ".join(MAP_SUFFIXES)}')

    def save_labels(self, path: str | Path) -> None:
        """Write the label values as .npy or .png, in the number type of the labels.

        Raises:
            InputError: If there are no labels, the suffix is unknown or the file cannot be written.
        """
        write = partial(write_labels_png, classes=self.classes)
        _save(path, 'labels', self._labels(), write)

    def save_normals(
        self,
        path: str | Path,
        intrinsics: Intrinsics | None = None,
        field_of_view: float | None = None,
    ) -> None:
        """Write ``normals`` as .npy, float32, or drawn as .png, see ``colourise_normals``.

        Raises:
            InputError: See ``normals``; or the suffix is unknown or the file cannot be written.
        """
        _save(path, 'normals', self.normals(intrinsics, field_of_view), write_normals_png)

    def save_sky(self, path: str | Path) -> None:
        """Write the sky as .npy, bool, or .png, where it is white.

        Raises:
            InputError: If there is none, the suffix is unknown or the file cannot be written.
        """
        if self.sky is None:
            raise InputError(f'{self.name}: the model has no sky branch')
        _save(path, 'sky', self.sky, write_sky_png)

    def _map(self) -> np.ndarray:
        if self.map is None:
            what = 'normals' if self.labels is None else 'labels'
            raise InputError(f'{self.name}: the model predicts {what}, not depth')
        return self.map

    def _labels(self) -> np.ndarray:
        if self.labels is None:
            what = 'normals' if self.map is None else 'depth'
            raise InputError(f'{self.name}: the model predicts {what}, not labels')
        return self.labels

    def _colours(self) -> tuple[tuple[int, int, int], ...] | list[list[int]]:
        return self.palette or default_palette(len(self.classes) or 255)

    def _range(self) -> tuple[float, float]:
        try:
            return colour_range(self._map())
        except ValueError as error:
            raise InputError(f'{self.name}: {error}') from error


def _save(
    path: str | Path, what: str, values: np.ndarray, write_png: Callable[[str | Path, Any], None]
) -> None:
    suffix = Path(path).suffix.lower()
    if suffix not in ('.npy', '.png'):
        raise InputError(f'{path}: {what} are saved as one of .npy, .png')
    (write_npy if suffix == '.npy' else write_png)(path, values)


def _inverse(values: np.ndarray) -> np.ndarray:
    """Turn disparity into depth or back, float64; values of zero or less become infinite."""
    values = values.astype(np.float64)
    with np.errstate(divide='ignore'):
        return 1 / np.where(values <= 0, 0.0, values)


def _metres(disparity: np.ndarray) -> np.ndarray:
    with np.errstate(over='ignore'):  # farther than float32 reaches is infinite
        return _inverse(disparity).astype(np.float32)
