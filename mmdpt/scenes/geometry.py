"""Camera rays and their nearest intersections with rectangles, boxes and spheres.

World: right-handed, x to the right, y forward, z up, [m]. Camera: x right, y down, z forward.
A ray's direction has length one *along the optical axis*, so the ray parameter of a hit is its
z-depth [m], the quantity a Kinect (NYU) records, not the distance from the camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Vector = tuple[float, float, float]

NEAR = 1e-3
"""Hits nearer than this [m] are the surface that a ray starts on."""

_CUBE = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float).T


class Surface(NamedTuple):
    """What a texture and the light need at n points of a shape.

    ``normal`` is (3, n), unit length; ``u`` and ``v`` are (n,) positions on the surface [m].
    """

    normal: Array
    u: Array
    v: Array


class Shape(Protocol):
    """A surface that rays can hit."""

    def intersect(self, origin: Array, direction: Array) -> Array:
        """Ray parameters of the first hits, inf where there is none; arrays of (3, ...)."""

    def surface(self, points: Array) -> Surface:
        """Normal and texture position at points (3, n) on the shape."""

    def corners(self) -> Array | None:
        """Eight or four points, (3, k), whose hull contains the shape; None if unbounded."""


@dataclass(frozen=True)
class Rectangle:
    """A flat rectangle, possibly unbounded, visible from both sides.

    ``axis_u`` and ``axis_v`` are orthogonal unit vectors; the rectangle holds the points
    ``point + u * axis_u + v * axis_v`` with u and v in the given ranges [m].
    """

    point: Vector
    axis_u: Vector
    axis_v: Vector
    range_u: tuple[float, float] = (-np.inf, np.inf)
    range_v: tuple[float, float] = (-np.inf, np.inf)

    @property
    def normal(self) -> Vector:
        x, y, z = np.cross(self.axis_u, self.axis_v)
        return float(x), float(y), float(z)

    def intersect(self, origin: Array, direction: Array) -> Array:
        offset = [p - o for p, o in zip(self.point, origin, strict=True)]
        with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
            t: Array = _dot(self.normal, offset) / _dot(self.normal, direction)
            u = t * _dot(self.axis_u, direction) - _dot(self.axis_u, offset)
            v = t * _dot(self.axis_v, direction) - _dot(self.axis_v, offset)
            hit = (t > NEAR) & (t < np.inf)
        for position, (low, high) in ((u, self.range_u), (v, self.range_v)):
            hit &= (position >= low) & (position <= high)
        return np.where(hit, t, np.inf)

    def surface(self, points: Array) -> Surface:
        offset = [x - p for x, p in zip(points, self.point, strict=True)]
        normal = np.repeat(np.array(self.normal)[:, None], points.shape[1], axis=1)
        return Surface(normal, _dot(self.axis_u, offset), _dot(self.axis_v, offset))

    def corners(self) -> Array | None:
        if not np.isfinite((*self.range_u, *self.range_v)).all():
            return None
        u, v = (grid.ravel() for grid in np.meshgrid(self.range_u, self.range_v))
        frame = zip(self.point, self.axis_u, self.axis_v, strict=True)
        return np.stack([p + u * a + v * b for p, a, b in frame])


@dataclass(frozen=True)
class Box:
    """A box with vertical sides, turned by ``yaw`` [rad] about the vertical, seen from outside.

    ``half`` holds half its sizes [m]. On its sides texture u runs along the side and v upwards,
    both from the side's lower corner; on its top and bottom they are the box's own x and y.
    """

    centre: Vector
    half: Vector
    yaw: float = 0.0

    def _to_local(self, vectors: Sequence[Array] | Array) -> list[Array]:
        x, y, z = vectors
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return [cos * x + sin * y, cos * y - sin * x, z]

    def intersect(self, origin: Array, direction: Array) -> Array:
        local_origin = self._to_local([o - c for o, c in zip(origin, self.centre, strict=True)])
        enter, leave = np.array(NEAR), np.array(np.inf)
        with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
            for o, d, half in zip(local_origin, self._to_local(direction), self.half, strict=True):
                inverse = 1.0 / d
                low, high = (-half - o) * inverse, (half - o) * inverse
                enter = np.fmax(enter, np.fmin(low, high))
                leave = np.fmin(leave, np.fmax(low, high))
        return np.where((enter <= leave) & (enter > NEAR), enter, np.inf)

    def surface(self, points: Array) -> Surface:
        local = np.stack(self._to_local([x - c for x, c in zip(points, self.centre, strict=True)]))
        half = np.array(self.half)[:, None]
        side = np.argmax(np.abs(local) - half, axis=0)
        sign = np.sign(np.take_along_axis(local, side[None], axis=0)[0])
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        normal_x, normal_y = sign * (side == 0), sign * (side == 1)
        normal = np.stack(
            [cos * normal_x - sin * normal_y, sin * normal_x + cos * normal_y, sign * (side == 2)]
        )
        x, y, z = local + half
        return Surface(normal, np.where(side == 0, y, x), np.where(side == 2, y, z))

    def corners(self) -> Array:
        x, y, z = _CUBE * _column(self.half)
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return np.stack([cos * x - sin * y, sin * x + cos * y, z]) + _column(self.centre)


@dataclass(frozen=True)
class Sphere:
    """A sphere of ``radius`` [m], seen from outside; texture along its longitude and latitude."""

    centre: Vector
    radius: float

    def intersect(self, origin: Array, direction: Array) -> Array:
        offset = [c - o for c, o in zip(self.centre, origin, strict=True)]
        length2 = sum(d * d for d in direction)
        along = sum(d * x for d, x in zip(direction, offset, strict=True)) / length2
        miss2 = sum(
            (along * d - x) ** 2 for d, x in zip(direction, offset, strict=True)
        )  # squared distance of the centre from the ray; stabler than b^2 - 4ac
        with np.errstate(invalid='ignore'):
            t = along - np.sqrt((self.radius**2 - miss2) / length2)
            return np.where(t > NEAR, t, np.inf)

    def surface(self, points: Array) -> Surface:
        normal = (points - _column(self.centre)) / self.radius
        u = self.radius * np.arctan2(normal[1], normal[0])
        v = self.radius * np.arcsin(np.clip(normal[2], -1.0, 1.0))
        return Surface(normal, u, v)

    def corners(self) -> Array:
        return _CUBE * self.radius + _column(self.centre)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion; pixel (column 0, row 0) has its centre at (0, 0).

    ``yaw`` turns left, ``pitch`` up and ``roll`` clockwise, all [rad]; with all three zero the
    camera looks along +y. ``size`` is (width, height) [px], ``field_of_view`` horizontal [rad].
    """

    position: Vector
    yaw: float
    pitch: float
    roll: float
    size: tuple[int, int]
    field_of_view: float = np.pi / 3

    @property
    def focal(self) -> float:
        """Focal length [px], the same in both directions."""
        return float(self.size[0] / 2 / np.tan(self.field_of_view / 2))

    @property
    def principal_point(self) -> tuple[float, float]:
        """Column and row of the optical axis [px]."""
        return (self.size[0] - 1) / 2, (self.size[1] - 1) / 2

    @cached_property
    def axes(self) -> tuple[Array, Array, Array]:
        """Right, down and forward as unit vectors of the world."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        forward = np.array(
            [-sin * np.cos(self.pitch), cos * np.cos(self.pitch), np.sin(self.pitch)]
        )
        level_right = np.array([cos, sin, 0.0])
        level_down = np.cross(forward, level_right)
        right = np.cos(self.roll) * level_right + np.sin(self.roll) * level_down
        down = np.cos(self.roll) * level_down - np.sin(self.roll) * level_right
        return right, down, forward

    def rays(self) -> Array:
        """Directions through all pixel centres, (3, height, width), unit z-depth."""
        centre_x, centre_y = self.principal_point
        x = (np.arange(self.size[0])[None, :] - centre_x) / self.focal
        y = (np.arange(self.size[1])[:, None] - centre_y) / self.focal
        right, down, forward = self.axes
        # componentwise: BLAS may round differently with another number of threads
        return np.stack([x * r + y * d + f for r, d, f in zip(right, down, forward, strict=True)])

    def window(self, corners: Array | None) -> tuple[slice, slice] | None:
        """Rows and columns that can see the hull of ``corners`` (3, k); None if none can."""
        if corners is None:
            return slice(None), slice(None)
        offset = corners - _column(self.position)
        x, y, z = (_dot(axis, list(offset)) for axis in self.axes)
        if (z <= NEAR).all():
            return None
        if (z <= NEAR).any():
            return slice(None), slice(None)
        spans = []
        for across, centre, length in zip(
            (y, x), self.principal_point[::-1], self.size[::-1], strict=True
        ):
            pixels = across / z * self.focal + centre
            low = max(int(np.floor(min(pixels.min(), length))), 0)
            high = min(int(np.ceil(max(pixels.max(), -1.0))) + 1, length)
            spans.append(slice(low, high))
            if low >= high:
                return None
        return spans[0], spans[1]


def trace(camera: Camera, shapes: Sequence[Shape]) -> tuple[Array, NDArray[np.int16]]:
    """Find the nearest shape in every pixel.

    Returns:
        z-depth [m] and index of the shape, (height, width); inf and -1 where nothing is hit.
    """
    directions = camera.rays()
    origin = np.array(camera.position)
    depth = np.full(directions.shape[1:], np.inf)
    index = np.full(directions.shape[1:], -1, dtype=np.int16)
    for number, shape in enumerate(shapes):
        window = camera.window(shape.corners())
        if window is None:
            continue
        t = shape.intersect(origin, directions[:, window[0], window[1]])
        nearer = t < depth[window]
        depth[window][nearer] = t[nearer]
        index[window][nearer] = number
    return depth, index


def occluded(points: Array, to_light: Array, shapes: Sequence[Shape]) -> NDArray[np.bool_]:
    """Say which points (3, n) have a shape between them and the light at ``points + to_light``.

    Args:
        points: Points a little off their own surface, (3, n) [m].
        to_light: Vectors to the light, (3, n) [m]; make them long for a sun.
        shapes: Bounded shapes that cast shadows.

    Returns:
        (n,), true in shadow.
    """
    shadow = np.zeros(points.shape[1], dtype=bool)
    # Find the rays near a shape's bounding sphere in single precision, with room for its rounding.
    start = points.astype(np.float32)
    ray = (to_light / np.sqrt(sum(d * d for d in to_light))).astype(np.float32)
    start2, start_ray = (start * start).sum(axis=0), (start * ray).sum(axis=0)
    for shape in shapes:
        corners = shape.corners()
        if corners is None:
            raise ValueError(f'only a bounded shape casts a shadow, got {shape}')
        centre = corners.mean(axis=1).astype(np.float32)
        centre2, radius2 = (centre**2).sum(), ((corners[:, 0] - centre) ** 2).sum()
        rounding = 2e-6 * (centre2 + start2.max(initial=0))
        centre_ray, centre_start = (
            sum(c * x for c, x in zip(centre, vectors, strict=True)) for vectors in (ray, start)
        )
        along = np.maximum(centre_ray - start_ray, 0)
        distance2 = start2 - 2 * centre_start - along * along
        near = np.flatnonzero((distance2 < radius2 - centre2 + rounding) & ~shadow)
        if near.size:
            shadow[near] = shape.intersect(points[:, near], to_light[:, near]) < 1.0
    return shadow


def _dot(constant: Sequence[float] | Array, vectors: Sequence[Array] | Array) -> Array:
    """Sum of products over the components, leaving out those that are zero."""
    terms = [c * v for c, v in zip(constant, vectors, strict=True) if c != 0.0]
    return np.asarray(sum(terms[1:], start=terms[0]))


def _column(vector: Vector) -> Array:
    return np.array(vector)[:, None]
