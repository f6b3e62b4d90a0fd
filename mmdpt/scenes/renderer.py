"""Scene and camera in; picture, class labels and z-depth out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .classes import LABELS
from .geometry import Array, Camera, occluded, trace
from .scene import Light, Scene, Sky
from .textures import Texture

_OFF_SURFACE = 1e-3
"""Shadow rays start this far off the surface [m], so that it does not shade itself."""


@dataclass(frozen=True)
class Rendering:
    """One rendered view.

    Attributes:
        image: RGB, (H, W, 3) uint8.
        labels: (H, W) uint8, 1 to 12 as in an annotation file; never 0.
        depth: z-depth along the optical axis, (H, W) float32 [m]; NaN in the sky.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth: NDArray[np.float32]


def render(scene: Scene, camera: Camera, rng: np.random.Generator | None = None) -> Rendering:
    """Render a scene, one ray a pixel, with hard shadows, haze and, with ``rng``, sensor noise.

    Raises:
        ValueError: If a ray leaves a scene that has no sky.
    """
    depth, index = trace(camera, [body.shape for body in scene.bodies])
    hit = index >= 0
    if scene.sky is None and not hit.all():
        raise ValueError(f'{np.sum(~hit)} rays leave the scene, which has no sky')
    labels_of = np.array([LABELS[body.category] for body in scene.bodies] + [LABELS['sky']])
    linear = np.empty((3, *index.shape))
    directions = camera.rays()
    if scene.sky is not None:
        linear[:, ~hit] = _sky_colours(scene.sky, directions[:, ~hit])
    if hit.any():
        linear[:, hit] = _lit_surfaces(
            scene, camera, directions[:, hit], depth[hit], index[hit].astype(np.intp)
        )
    return Rendering(
        image=_develop(linear, rng),
        labels=labels_of[index].astype(np.uint8),  # index -1, the sky, is the last entry
        depth=np.where(hit, depth, np.nan).astype(np.float32),
    )


def _lit_surfaces(
    scene: Scene, camera: Camera, directions: Array, depth: Array, index: NDArray[np.intp]
) -> Array:
    """Linear RGB (3, n) of the surfaces hit by n rays (3, n) at z-depths (n,)."""
    order = np.argsort(index, kind='stable')  # one body after another: slices instead of copies
    directions, depth, index = directions[:, order], depth[order], index[order]
    points = np.array(camera.position)[:, None] + depth * directions
    normals, albedo = np.empty_like(points), np.empty_like(points)
    length = np.sqrt(np.sum(directions**2, axis=0))
    numbers, starts = np.unique(index, return_index=True)
    for number, start, end in zip(numbers, starts, [*starts[1:], len(index)], strict=True):
        body, seen = scene.bodies[number], slice(start, end)
        surface = body.shape.surface(points[:, seen])
        facing = np.sum(surface.normal * directions[:, seen], axis=0) / length[seen]
        normals[:, seen] = surface.normal * -np.sign(facing)
        # a tilted pixel covers a long, narrow patch: take a width between its two sides
        footprint = depth[seen] / camera.focal / np.sqrt(np.maximum(np.abs(facing), 0.02))
        albedo[:, seen] = body.texture.colours(surface.u, surface.v, footprint)
    occluders = [body.shape for body in scene.bodies if body.casts_shadow]
    lit = _illumination(scene.light, points, normals, occluders) * albedo
    if scene.sky is not None:
        clear = np.exp(-depth * length / scene.sky.haze)
        lit = lit * clear + np.array(scene.sky.horizon)[:, None] * (1 - clear)
    unsorted = np.empty_like(lit)
    unsorted[:, order] = lit
    return unsorted


def _illumination(light: Light, points: Array, normals: Array, occluders: list) -> Array:
    """Light (3, n) that arrives at n points: Lambert's cosine, shadow, brighter from above."""
    start = points + _OFF_SURFACE * normals
    to_light = np.array(light.position)[:, None] - start
    cosine = np.sum(to_light * normals, axis=0) / np.sqrt(np.sum(to_light**2, axis=0))
    bright = np.maximum(cosine, 0.0)
    turned = np.flatnonzero(cosine > 0)
    shadow = occluded(start[:, turned], to_light[:, turned], occluders)
    bright[turned[shadow]] *= light.shade
    from_above = 0.8 + 0.2 * normals[2]
    direct, ambient = np.array(light.direct)[:, None], np.array(light.ambient)[:, None]
    return direct * bright + ambient * from_above


def _sky_colours(sky: Sky, directions: Array) -> Array:
    """Horizon to zenith with clouds on a flat ceiling, linear RGB (3, n)."""
    upward = directions[2] / np.sqrt(np.sum(directions**2, axis=0))
    height = np.clip(upward, 0.0, 1.0)
    zenith, horizon = np.array(sky.zenith)[:, None], np.array(sky.horizon)[:, None]
    blue = horizon + (zenith - horizon) * np.sqrt(height)
    ceiling = 1.0 / np.maximum(upward, 0.04)
    texture = Texture('plain', sky.horizon, place=sky.place)
    u, v = directions[0] * ceiling, directions[1] * ceiling
    fine = np.zeros_like(u)
    cover = sum(texture.noise(u, v, 1.6 / 2**k, fine) / 2**k for k in range(4)) / 1.875
    cloud = np.clip((cover + 2 * sky.clouds - 0.9) * 3, 0.0, 0.9) * np.clip(height * 8, 0, 1)
    return blue + (0.85 * max(sky.horizon) - blue) * cloud


def _develop(linear: Array, rng: np.random.Generator | None) -> NDArray[np.uint8]:
    """A lens's slight blur, shot and read noise, the sRGB gamma; (3, H, W) to (H, W, 3) uint8."""
    padded = np.pad(linear, ((0, 0), (1, 1), (1, 1)), mode='edge')
    rows = 0.18 * (padded[:, :-2] + padded[:, 2:]) + 0.64 * padded[:, 1:-1]
    sharp = 0.18 * (rows[:, :, :-2] + rows[:, :, 2:]) + 0.64 * rows[:, :, 1:-1]
    srgb = np.clip(sharp, 0.0, 1.0).astype(np.float32) ** np.float32(1 / 2.2)
    if rng is not None:
        noise = rng.standard_normal(srgb.shape, dtype=np.float32)
        srgb += noise * (0.012 + 0.008 * srgb)
    bytes_ = np.clip(srgb * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(bytes_.transpose(1, 2, 0))
