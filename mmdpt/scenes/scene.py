"""What a scene is made of: bodies, a light and, outdoors, a sky."""

from dataclasses import dataclass

import numpy as np

from .classes import LABELS
from .geometry import Camera, Shape, Vector
from .textures import Colour, Texture

EYE_LEVEL = (1.5, 1.7)
"""Range of the camera's height [m]: of a standing adult's eyes, for a picture to tell its scale.

Metres are seen in an image because a height is known; of one in [1.4, 2.8] the best guess alone is
wrong by 17 %.
"""


@dataclass(frozen=True)
class Body:
    """A shape of one class and one texture."""

    category: str
    shape: Shape
    texture: Texture
    casts_shadow: bool = True

    def __post_init__(self) -> None:
        if self.category not in LABELS:
            raise ValueError(f'category must be one of {tuple(LABELS)}, got {self.category!r}')


@dataclass(frozen=True)
class Light:
    """One lamp or sun, and the light that comes from everywhere; colours are linear RGB.

    ``position`` [m] is far away for a sun. ``shade`` is the part of the direct light that a
    shadow lets through, in [0, 1].
    """

    position: Vector
    direct: Colour
    ambient: Colour
    shade: float = 0.0


@dataclass(frozen=True)
class Sky:
    """A sky with clouds, and the haze that fades far things into its horizon.

    ``haze`` is the distance [m] at which 1/e of a colour is left; ``clouds`` is the cloud cover
    in [0, 1].
    """

    zenith: Colour
    horizon: Colour
    haze: float
    clouds: float
    place: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Scene:
    """Bodies under a light. Rays that hit nothing see the sky; a room is closed and has none."""

    bodies: tuple[Body, ...]
    light: Light
    sky: Sky | None = None


@dataclass(frozen=True)
class View:
    """A scene, where it is seen from, and what kind of place it is ('playroom', 'street')."""

    scene: Scene
    camera: Camera
    place: str


def colour(rng: np.random.Generator, hue: float, saturation: float, value: float) -> Colour:
    """A linear RGB colour near a hue in [0, 1), saturation and brightness in [0, 1]."""
    hue = (hue + rng.normal(0, 0.02)) % 1.0
    saturation = float(np.clip(saturation + rng.normal(0, 0.05), 0, 1))
    value = float(np.clip(value + rng.normal(0, 0.05), 0.05, 1))
    sector = (np.array([5.0, 3.0, 1.0]) + hue * 6) % 6
    srgb = value - value * saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1)
    red, green, blue = srgb**2.2
    return float(red), float(green), float(blue)


def place(rng: np.random.Generator) -> tuple[float, float]:
    """A random place in the noise [m]."""
    u, v = rng.uniform(0, 200, 2)
    return float(u), float(v)
