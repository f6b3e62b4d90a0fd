"""A depth map as points in space.

PLY is written here, so that it needs no further package.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmdpt.errors import InputError
from mmdpt.files.atomic import write_atomically

AXES = 'metres, x right, y down, z forward from the camera'
_VERTEX = np.dtype([('points', '<f4', 3), ('colours', 'u1', 3)])


class Intrinsics(NamedTuple):
    """Intrinsics of a pinhole camera [px]; the centre of the upper left pixel is (0, 0)."""

    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def from_field_of_view(cls, degrees: float, width: int, height: int) -> 'Intrinsics':
        """Assume square pixels and an optical axis through the middle of an image of a size [px].

        The angle [degree] is horizontal, from the left edge of the image to the right.

        Raises:
            InputError: If the angle is not between 0 and 180.
        """
        if not 0 < degrees < 180:
            raise InputError(f'field of view must be between 0 and 180 degrees, got {degrees}')
        focal_length = width / 2 / math.tan(math.radians(degrees) / 2)
        return cls(focal_length, focal_length, (width - 1) / 2, (height - 1) / 2)

    def checked(self) -> 'Intrinsics':
        """Give themselves.

        Raises:
            InputError: If a focal length is not positive or a number is not finite.
        """
        if not (all(map(math.isfinite, self)) and self.fx > 0 and self.fy > 0):
            raise InputError(f'focal lengths must be positive, numbers finite, got {self}')
        return self

    def place(self, depth: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Give the points [m] of pixels of a depth map (H, W), (n, 3) float32.

        Raises:
            InputError: If the camera is impossible, see ``checked``.
        """
        fx, fy, cx, cy = self.checked()
        z = depth[rows, columns].astype(np.float64)
        points = np.stack([(columns - cx) / fx * z, (rows - cy) / fy * z, z], axis=1)
        return points.astype(np.float32)


class PointCloud(NamedTuple):
    """Coloured points seen from the camera at the origin: x right, y down, z forward."""

    points: np.ndarray
    """(n, 3) float32 [m]."""
    colours: np.ndarray
    """(n, 3) uint8 RGB."""

    @classmethod
    def from_depth(
        cls, depth: np.ndarray, image: np.ndarray, intrinsics: Intrinsics
    ) -> 'PointCloud':
        """Place every pixel of positive, finite depth in space, row by row.

        Args:
            depth: Depth along the optical axis [m], (H, W).
            image: (H, W, 3) uint8 RGB.
            intrinsics: The camera, for an image of this size.

        Raises:
            InputError: If the camera is impossible, or no pixel has a positive depth.
        """
        rows, columns = np.nonzero(np.isfinite(depth) & (depth > 0))
        if not len(rows):
            raise InputError('no pixel has a positive depth: there is no point to place')
        return cls(intrinsics.place(depth, rows, columns), image[rows, columns])

    def save(self, path: str | Path) -> None:
        """Write a binary little-endian PLY of ``x y z red green blue``.

        Raises:
            InputError: If the name does not end in .ply or the file cannot be written.
        """
        if Path(path).suffix.lower() != '.ply':
            raise InputError(f'{path}: a point cloud is saved as .ply')
        vertices = np.empty(len(self.points), _VERTEX)
        vertices['points'], vertices['colours'] = self
        lines = [
            'ply',
            'format binary_little_endian 1.0',
            f'comment {AXES}',
            f'element vertex {len(vertices)}',
            *(f'property float {name}' for name in 'xyz'),
            *(f'property uchar {name}' for name in ('red', 'green', 'blue')),
            'end_header\n',
        ]
        write_atomically(path, '\n'.join(lines).encode() + vertices.tobytes())
