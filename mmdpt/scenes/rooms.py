"""Random rooms: four walls, cabinets along them and sometimes amid them, balls on the floor."""

import numpy as np

from .geometry import Box, Camera, Rectangle, Shape, Sphere
from .scene import EYE_LEVEL, Body, Light, Scene, View, colour, place
from .textures import Texture

_WOOD_HUE = 0.08


def room(rng: np.random.Generator, size: tuple[int, int]) -> View:
    """A room seen from near its front wall, looking at the far half; ``size`` in [px]."""
    width, length = rng.uniform(3.6, 6.5), rng.uniform(4.2, 7.5)
    height = rng.uniform(2.3, 3.1)
    eye = np.array([rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.9), rng.uniform(*EYE_LEVEL)])
    goal = np.array([rng.uniform(0.15, 0.85) * width, length])
    camera = Camera(
        position=(float(eye[0]), float(eye[1]), float(eye[2])),
        yaw=float(-np.arctan2(goal[0] - eye[0], goal[1] - eye[1])),
        pitch=float(np.radians(rng.uniform(-21, 6))),
        roll=float(np.radians(rng.normal(0, 1.5))),
        size=size,
    )
    bodies = _shell(rng, width, length, height)
    cabinets = _furniture(rng, width, length, height)
    bodies += [*cabinets, *_balls(rng, width, length, [body.shape for body in cabinets])]
    return View(Scene(tuple(bodies), _lamp(rng, width, length, height)), camera, 'playroom')


def _shell(rng: np.random.Generator, width: float, length: float, height: float) -> list[Body]:
    """Floor, ceiling, walls, and what hangs on or lies along them."""
    x, y, z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    across, along, upward = (0.0, width), (0.0, length), (0.0, height)
    wall = _wall_texture(rng)
    feature = _wall_texture(rng) if rng.random() < 0.4 else wall
    sides = [
        ('floor', Rectangle((0, 0, 0), x, y, across, along), _floor_texture(rng)),
        ('ceiling', Rectangle((0, 0, height), x, y, across, along), _ceiling_texture(rng)),
        ('wall', Rectangle((0, 0, 0), x, z, across, upward), wall),
        ('wall', Rectangle((0, length, 0), x, z, across, upward), feature),
        ('wall', Rectangle((0, 0, 0), y, z, along, upward), wall),
        ('wall', Rectangle((width, 0, 0), y, z, along, upward), wall),
    ]
    bodies = [Body(name, shape, texture, casts_shadow=False) for name, shape, texture in sides]

    skirting = Texture('plain', colour(rng, rng.random(), 0.1, rng.uniform(0.3, 0.95)))
    strips = [
        Box((width / 2, length, 0.04), (width / 2, 0.015, 0.04)),
        Box((0, length / 2, 0.04), (0.015, length / 2, 0.04)),
        Box((width, length / 2, 0.04), (0.015, length / 2, 0.04)),
    ]
    bodies += [Body('wall', strip, skirting, casts_shadow=False) for strip in strips]
    for _ in range(rng.integers(0, 3)):
        picture = Texture(
            str(rng.choice(['foliage', 'checker', 'stripes'])),
            colour(rng, rng.random(), rng.random(), rng.random()),
            colour(rng, rng.random(), rng.random(), rng.random()),
            scale=rng.uniform(0.1, 0.3),
            place=place(rng),
        )
        half = (rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.4))
        level = min(rng.uniform(1.5, 1.8), height - half[1] - 0.1)
        if rng.random() < 0.5:
            spot = Box((rng.uniform(0.7, width - 0.7), length, level), (half[0], 0.02, half[1]))
        else:
            side = width * rng.integers(0, 2)
            spot = Box((side, rng.uniform(0.4, 0.9) * length, level), (0.02, *half))
        bodies.append(Body('wall', spot, picture))
    if rng.random() < 0.4:
        rug = Texture(
            str(rng.choice(['checker', 'stripes', 'foliage'])),
            colour(rng, rng.random(), 0.4, rng.uniform(0.3, 0.8)),
            colour(rng, rng.random(), 0.4, rng.uniform(0.3, 0.8)),
            scale=rng.uniform(0.1, 0.4),
            place=place(rng),
        )
        half = (rng.uniform(0.6, 1.2), rng.uniform(0.8, 1.4))
        spot = Box((width / 2, 0.6 * length, 0.008), (*half, 0.008), yaw=rng.normal(0, 0.2))
        bodies.append(Body('floor', spot, rug, casts_shadow=False))
    return bodies


def _furniture(rng: np.random.Generator, width: float, length: float, height: float) -> list[Body]:
    """Cabinets side by side along the far, the left and the right wall, sometimes one amid."""
    bodies: list[Body] = []
    depth_limit = 0.65
    runs = {
        'far': (depth_limit, width - depth_limit),
        'left': (1.6, length),
        'right': (1.6, length),
    }
    for wall, (start, end) in runs.items():
        if rng.random() < 0.2:
            continue
        cursor = start + rng.exponential(0.5)
        while True:
            half_run = rng.uniform(0.3, 0.8)
            if cursor + 2 * half_run > end:
                break
            half_depth = rng.uniform(0.15, depth_limit / 2)
            low = rng.random() < 0.5
            tall = rng.uniform(0.5, 1.1) if low else rng.uniform(1.5, height - 0.15)
            middle = cursor + half_run
            if wall == 'far':
                spot = (middle, length - half_depth, tall / 2)
                half = (half_run, half_depth, tall / 2)
            else:
                spot = (half_depth if wall == 'left' else width - half_depth, middle, tall / 2)
                half = (half_depth, half_run, tall / 2)
            bodies.append(_cabinet(rng, Box(spot, half), half_run))
            cursor += 2 * half_run + 0.02 + rng.exponential(0.4)
    if not bodies or rng.random() < 0.35:
        half_run, tall = rng.uniform(0.3, 0.6), rng.uniform(0.4, 1.0)
        spot = (rng.uniform(0.35, 0.65) * width, rng.uniform(0.5, 0.7) * length, tall / 2)
        box = Box(spot, (half_run, rng.uniform(0.2, 0.35), tall / 2), yaw=rng.uniform(-1.5, 1.5))
        bodies.append(_cabinet(rng, box, half_run))
    return bodies


def _cabinet(rng: np.random.Generator, box: Box, half_run: float) -> Body:
    if rng.random() < 0.65:
        front = colour(rng, _WOOD_HUE, rng.uniform(0.3, 0.65), rng.uniform(0.25, 0.8))
    else:
        front = colour(rng, rng.random(), rng.uniform(0.0, 0.4), rng.uniform(0.3, 0.95))
    gap = colour(rng, _WOOD_HUE, 0.2, 0.12)
    door = 2 * half_run / max(1, round(2 * half_run / rng.uniform(0.35, 0.55)))
    return Body('cabinet', box, Texture('panels', front, gap, door, place(rng)))


def _balls(
    rng: np.random.Generator, width: float, length: float, cabinets: list[Shape]
) -> list[Body]:
    """Up to seven balls on the floor, kept apart from one another and from the cabinets."""
    bodies: list[Body] = []
    taken: list[tuple[float, float, float]] = []
    for _ in range(rng.integers(3, 8)):
        radius = rng.uniform(0.18, 0.42)
        x = rng.uniform(0.2 * width, 0.8 * width)
        y = rng.uniform(2.1, 0.85 * length)
        if any(np.hypot(x - a, y - b) < radius + r for a, b, r in taken):
            continue
        if any(_reaches(cabinet, x, y, radius) for cabinet in cabinets):
            continue
        taken.append((x, y, radius))
        texture = Texture(
            str(rng.choice(['beach_ball', 'beach_ball', 'plain'])),
            colour(rng, rng.random(), rng.uniform(0.5, 0.95), rng.uniform(0.5, 0.95)),
            colour(rng, rng.random(), rng.uniform(0.0, 0.9), rng.uniform(0.6, 0.95)),
            scale=float(np.pi * radius / rng.integers(2, 5)),
            place=place(rng),
        )
        bodies.append(Body('ball', Sphere((x, y, radius), radius), texture))
    return bodies


def _reaches(cabinet: Shape, x: float, y: float, radius: float) -> bool:
    """Whether a ball at (x, y) [m] would touch the circle around a cabinet's base."""
    corners = cabinet.corners()
    assert corners is not None  # a cabinet is a box
    middle = corners[:2].mean(axis=1)
    around = np.hypot(*(corners[:2, 0] - middle))
    return bool(np.hypot(x - middle[0], y - middle[1]) < around + radius)


def _wall_texture(rng: np.random.Generator) -> Texture:
    kind = str(rng.choice(['plain', 'stripes', 'brick', 'tiles'], p=[0.5, 0.2, 0.15, 0.15]))
    hue, saturation, value = rng.random(), rng.uniform(0.02, 0.35), rng.uniform(0.5, 0.92)
    scale = {'plain': 1.0, 'stripes': 0.15, 'brick': 0.25, 'tiles': 0.2}[kind]
    return Texture(
        kind,
        colour(rng, hue, saturation, value),
        colour(rng, hue, saturation, value * rng.uniform(0.75, 0.95)),
        scale * rng.uniform(0.8, 1.4),
        place(rng),
    )


def _floor_texture(rng: np.random.Generator) -> Texture:
    kind = str(rng.choice(['wood', 'tiles', 'checker', 'plain'], p=[0.45, 0.2, 0.15, 0.2]))
    if kind == 'wood':
        base = colour(rng, _WOOD_HUE, rng.uniform(0.3, 0.65), rng.uniform(0.3, 0.75))
    else:
        base = colour(rng, rng.random(), rng.uniform(0.02, 0.3), rng.uniform(0.3, 0.8))
    scale = {'wood': 0.14, 'tiles': 0.4, 'checker': 0.35, 'plain': 1.0}[kind]
    shade = rng.uniform(0.2, 0.7)
    accent = (base[0] * shade, base[1] * shade, base[2] * shade)
    return Texture(kind, base, accent, scale * rng.uniform(0.8, 1.3), place(rng))


def _ceiling_texture(rng: np.random.Generator) -> Texture:
    if rng.random() < 0.15:
        base = colour(rng, _WOOD_HUE, rng.uniform(0.2, 0.5), rng.uniform(0.5, 0.8))
        return Texture('wood', base, (0.02, 0.01, 0.01), 0.16, place(rng))
    base = colour(rng, rng.random(), rng.uniform(0, 0.08), rng.uniform(0.75, 0.97))
    return Texture('plain', base, place=place(rng))


def _lamp(rng: np.random.Generator, width: float, length: float, height: float) -> Light:
    """A lamp under the ceiling, warm to cool, and the light that the walls throw back."""
    warmth = rng.uniform(-0.08, 0.16)
    tint = np.array([1 + warmth, 1.0, 1 - 1.4 * warmth])
    direct, ambient = rng.uniform(0.35, 0.75) * tint, rng.uniform(0.42, 0.7) * tint
    return Light(
        position=(
            rng.uniform(0.3, 0.7) * width,
            rng.uniform(0.3, 0.65) * length,
            height - rng.uniform(0.15, 0.5),
        ),
        direct=(float(direct[0]), float(direct[1]), float(direct[2])),
        ambient=(float(ambient[0]), float(ambient[1]), float(ambient[2])),
        shade=0.25,
    )
