"""Procedural textures: a colour for a position on a surface, the same on every machine.

Positions u, v are in metres on the surface, colours are linear RGB in [0, 1], (3, n).
``footprint`` [m] is the width of a pixel on the surface: detail finer than it fades to its mean,
so that far surfaces do not shimmer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .geometry import Array

Colour = tuple[float, float, float]

_LATTICE = np.random.default_rng(20210324).random((256, 256))


@dataclass(frozen=True)
class Texture:
    """A texture from ``TEXTURES`` with its colours, its period [m] and its place in the noise.

    Attributes:
        kind: Key of ``TEXTURES``.
        base: Main colour, linear RGB in [0, 1].
        accent: Second colour: mortar, window, joint, dry grass, lane marking.
        scale: Size of the pattern's element [m]; for asphalt the road's width.
        place: Shift of the noise [m], so that equal textures do not look alike.
    """

    kind: str
    base: Colour
    accent: Colour = (0.0, 0.0, 0.0)
    scale: float = 1.0
    place: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if self.kind not in TEXTURES:
            raise ValueError(f'texture kind must be one of {sorted(TEXTURES)}, got {self.kind!r}')

    def colours(self, u: Array, v: Array, footprint: Array) -> Array:
        """Linear RGB at n surface positions, (3, n)."""
        return np.clip(TEXTURES[self.kind](self, u, v, footprint), 0.0, 1.0)

    def noise(self, u: Array, v: Array, cell: float, footprint: Array) -> Array:
        """Smooth noise in [-1, 1] whose bumps are ``cell`` [m] wide, (n,)."""
        value = _lattice_noise((u + self.place[0]) / cell, (v + self.place[1]) / cell)
        return value * _visibility(cell, footprint)

    def mix(self, share: Array) -> Array:
        """Base where ``share`` (n,) is 0, accent where it is 1."""
        base, accent = np.array(self.base)[:, None], np.array(self.accent)[:, None]
        return base + (accent - base) * share


def plain(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """Paint or plaster: one colour, slightly uneven."""
    uneven = 0.05 * texture.noise(u, v, 0.6, footprint)
    return texture.mix(np.zeros(1)) * (1 + uneven + 0.05 * texture.noise(u, v, 0.03, footprint))


def stripes(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """Wallpaper: vertical stripes, ``scale`` wide."""
    wave = np.sin(np.pi * (u + texture.place[0]) / texture.scale)
    share = 0.5 + 0.5 * np.tanh(6 * wave) * _visibility(texture.scale, footprint)
    return texture.mix(share) * (1 + 0.04 * texture.noise(u, v, 0.3, footprint))


def tiles(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """Square tiles or paving slabs with joints in the accent colour, each of its own tone."""
    size = texture.scale
    tone = _cell_value(np.floor(u / size), np.floor(v / size)) * _visibility(size, footprint)
    joint = np.maximum(
        _line(_to_grid(u, size), 0.012 * size + 0.003, footprint),
        _line(_to_grid(v, size), 0.012 * size + 0.003, footprint),
    )
    return texture.mix(joint) * (1 + 0.1 * tone + 0.06 * texture.noise(u, v, 0.1, footprint))


def checker(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """Tiles in two alternating colours."""
    size = texture.scale
    odd = np.mod(np.floor(u / size) + np.floor(v / size), 2) - 0.5
    share = 0.5 + odd * _visibility(size, footprint)
    return texture.mix(share) * (1 + 0.06 * texture.noise(u, v, 0.1, footprint))


def wood(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """Boards along v, ``scale`` wide, with grain, a tone for each board and dark gaps."""
    board = np.floor(u / texture.scale)
    shifted = v + 7.3 * board
    tone = _cell_value(board, np.floor(shifted / 1.7)) * _visibility(texture.scale, footprint)
    grain = texture.noise(u * 12, shifted * 0.8, 0.25, footprint * 12)
    gap = np.maximum(
        _line(_to_grid(u, texture.scale), 0.004, footprint),
        _line(_to_grid(shifted, 1.7), 0.004, footprint),
    )
    return texture.mix(gap) * (1 + 0.14 * tone + 0.16 * grain)


def panels(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """Cabinet fronts: doors ``scale`` wide with gaps in the accent colour and a knob each."""
    grain = texture.noise(u * 10, v * 0.8, 0.25, footprint * 10)
    gap = np.maximum(
        _line(_to_grid(u, texture.scale), 0.010, footprint),
        _line(_to_grid(v, 0.7), 0.010, footprint),
    )
    from_knob = np.hypot(np.mod(u, texture.scale) - 0.9 * texture.scale, np.mod(v, 0.7) - 0.35)
    return texture.mix(np.maximum(gap, _line(from_knob, 0.022, footprint))) * (1 + 0.1 * grain)


def brick(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """Running bond: bricks ``scale`` long and a third as high, mortar in the accent colour."""
    height = texture.scale / 3
    row = np.floor(v / height)
    shifted = u + 0.5 * texture.scale * np.mod(row, 2)
    tone = _cell_value(np.floor(shifted / texture.scale), row) * _visibility(height, footprint)
    joint = np.maximum(
        _line(_to_grid(shifted, texture.scale), 0.03 * texture.scale, footprint),
        _line(_to_grid(v, height), 0.03 * texture.scale, footprint),
    )
    return texture.mix(joint) * (1 + 0.25 * tone + 0.08 * texture.noise(u, v, 0.5, footprint))


def facade(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """A house front: windows in the accent colour, ``scale`` apart, storeys 3 m high."""
    column, storey = np.floor(u / texture.scale), np.floor(v / 3.0)
    across = np.abs(np.mod(u, texture.scale) - texture.scale / 2)
    upward = np.abs(np.mod(v, 3.0) - 1.6)
    frame = _line(across, 0.29 * texture.scale, footprint) * _line(upward, 0.95, footprint)
    pane = _line(across, 0.24 * texture.scale, footprint) * _line(upward, 0.85, footprint)
    pane = pane * (1 - 0.8 * _line(across, 0.04, footprint))
    front = texture.mix(np.zeros(1)) * (
        1 + 0.1 * texture.noise(u, v, 1.5, footprint) + 0.1 * texture.noise(u, v, 0.2, footprint)
    )
    glass = np.array(texture.accent)[:, None] * (1 + 0.7 * _cell_value(column, storey))
    trim = 0.5 + 0.5 * front
    return front + (trim - front) * frame + (glass - trim) * pane


def asphalt(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """A road along v, ``scale`` wide: patches, grit, edge lines and a dashed line at u = 0."""
    dash = _line(np.mod(v, 6.0) - 1.5, 1.5, footprint)
    marking = np.maximum(
        _line(u, 0.08, footprint) * dash,
        _line(np.abs(u) - texture.scale / 2 + 0.3, 0.06, footprint),
    )
    patches = texture.noise(u, v / 4, 0.9, footprint)
    grit = texture.noise(u, v, 0.04, footprint)
    return texture.mix(0.85 * marking) * (1 + 0.12 * patches + 0.2 * grit)


def foliage(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """Grass or leaves: clumps ``scale`` wide and blades a fifth of it, base to accent."""
    clumps = texture.noise(u, v, texture.scale, footprint)
    blades = texture.noise(u, v, texture.scale / 5, footprint)
    return texture.mix(0.5 + 0.35 * clumps) * (1 + 0.5 * blades + 0.25 * clumps)


def beach_ball(texture: Texture, u: Array, v: Array, footprint: Array) -> Array:
    """A ball in two colours, in sectors along its longitude; ``scale`` is a sector [m]."""
    share = 0.5 + 0.5 * np.tanh(8 * np.sin(np.pi * u / texture.scale))
    return texture.mix(share) * (1 + 0.03 * texture.noise(u, v, 0.05, footprint))


TEXTURES: dict[str, Callable[[Texture, Array, Array, Array], Array]] = {
    texture.__name__: texture
    for texture in (
        plain,
        stripes,
        tiles,
        checker,
        wood,
        panels,
        brick,
        facade,
        asphalt,
        foliage,
        beach_ball,
    )
}


def _visibility(cell: float, footprint: Array) -> Array:
    """1 where a pixel is much finer than ``cell``, 0 where it is no finer than half of it."""
    return np.clip(2.0 - 4.0 * footprint / cell, 0.0, 1.0)


def _line(distance: Array, half_width: float, footprint: Array) -> Array:
    """Share of a pixel covered by a line at ``distance`` from it: a box filter."""
    coverage = np.clip((half_width - np.abs(distance)) / footprint + 0.5, 0.0, 1.0)
    return coverage * np.minimum(1.0, 2 * half_width / footprint)


def _to_grid(position: Array, period: float) -> Array:
    """Distance from the nearest multiple of ``period``."""
    return np.abs(position - period * np.round(position / period))


def _cell_value(column: Array, row: Array) -> Array:
    """A fixed random number in [-1, 1] for each cell of a grid."""
    x, y = column.astype(np.int64) & 255, row.astype(np.int64) & 255
    return 2 * _LATTICE[y, x] - 1


def _lattice_noise(x: Array, y: Array) -> Array:
    """Value noise: random numbers in [-1, 1] at whole positions, smoothly joined."""
    column, row = np.floor(x), np.floor(y)
    x, y = x - column, y - row
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    left, top = column.astype(np.int64) & 255, row.astype(np.int64) & 255
    right, bottom = (left + 1) & 255, (top + 1) & 255
    upper = _LATTICE[top, left] * (1 - x) + _LATTICE[top, right] * x
    lower = _LATTICE[bottom, left] * (1 - x) + _LATTICE[bottom, right] * x
    return 2 * (upper * (1 - y) + lower * y) - 1
