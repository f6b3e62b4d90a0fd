"""Random streets: a road with pavements, verges, houses, trees and cars under a sky."""

import numpy as np

from .geometry import Box, Camera, Rectangle, Sphere
from .scene import EYE_LEVEL, Body, Light, Scene, Sky, View, colour, place
from .textures import Colour, Texture

_KERB = 0.12
"""Height of the pavements and of the ground beyond them over the road [m]."""

_START, _END = -30.0, 150.0
"""From where to where the street runs [m]; the camera stands near 0 and looks ahead."""


def street(rng: np.random.Generator, size: tuple[int, int]) -> View:
    """A street seen by someone on it, who looks ahead, more or less; ``size`` in [px]."""
    road = rng.uniform(6.0, 9.5)
    pavement, verge = rng.uniform(1.6, 3.2), rng.uniform(2.0, 7.0)
    x = rng.uniform(-0.5, 0.5) * (road + 1.5 * pavement)
    towards_middle = np.sign(x) * rng.uniform(0, 14)
    camera = Camera(
        position=(float(x), 0.0, float(rng.uniform(*EYE_LEVEL))),
        yaw=float(np.radians(towards_middle + rng.normal(0, 9))),
        pitch=float(np.radians(rng.uniform(-9, 4))),
        roll=float(np.radians(rng.normal(0, 1.5))),
        size=size,
    )
    bodies = _ground(rng, road, pavement)
    for side in (-1, 1):
        bodies += _houses(rng, side, road / 2 + pavement + verge)
        bodies += _trees(rng, side, road / 2 + pavement, verge)
    bodies += _street_end(rng)
    bodies += _cars(rng, road, x)
    sky = _sky(rng)
    return View(Scene(tuple(bodies), _sun(rng, sky), sky), camera, 'street')


def _ground(rng: np.random.Generator, road: float, pavement: float) -> list[Body]:
    x, y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    tar = colour(rng, rng.random(), 0.03, rng.uniform(0.3, 0.6))
    asphalt = Texture('asphalt', tar, (0.75, 0.75, 0.7), road, place(rng))
    slab = colour(rng, rng.uniform(0.05, 0.15), rng.uniform(0.02, 0.2), rng.uniform(0.5, 0.8))
    joint = (slab[0] * 0.4, slab[1] * 0.4, slab[2] * 0.4)
    paving = Texture('tiles', slab, joint, rng.uniform(0.4, 0.9), place(rng))
    green = colour(rng, rng.uniform(0.2, 0.3), rng.uniform(0.4, 0.7), rng.uniform(0.35, 0.6))
    dry = colour(rng, rng.uniform(0.13, 0.25), 0.5, rng.uniform(0.4, 0.65))
    lawn = Texture('foliage', green, dry, rng.uniform(0.3, 0.6), place(rng))
    ground = [
        Body('road', Rectangle((0, 0, 0), x, y, (-road / 2, road / 2)), asphalt, False),
    ]
    for side in (-1, 1):
        middle, edge = side * (road + pavement) / 2, side * (road / 2 + pavement)
        box = Box(
            (middle, (_START + _END) / 2, _KERB / 2),
            (pavement / 2, (_END - _START) / 2, _KERB / 2),
        )
        beyond = (0.0, np.inf) if side > 0 else (-np.inf, 0.0)
        ground.append(Body('sidewalk', box, paving, False))
        ground.append(Body('grass', Rectangle((edge, 0, _KERB), x, y, beyond), lawn, False))
    return ground


def _houses(rng: np.random.Generator, side: int, front: float) -> list[Body]:
    """A row of houses behind the verge, with gaps."""
    bodies = []
    cursor = _START + rng.uniform(0, 10)
    gap = rng.choice([0.6, 6.0])
    while cursor < 95:
        half_run, half_depth = rng.uniform(3.5, 9), rng.uniform(4, 7)
        tall = 3.0 * rng.integers(2, 6) + rng.uniform(0.2, 1.0)
        setback = rng.uniform(0, 1.5)
        box = Box(
            (side * (front + setback + half_depth), cursor + half_run, _KERB + tall / 2),
            (half_depth, half_run, tall / 2),
        )
        bodies.append(Body('building', box, _front_texture(rng, 2 * half_run)))
        cursor += 2 * half_run + 0.05 + rng.exponential(gap)
    return bodies


def _street_end(rng: np.random.Generator) -> list[Body]:
    """Often a house or a wood across the end, so that few streets run to the horizon."""
    distance = rng.uniform(60, 130)
    if rng.random() < 0.5:
        half, tall = rng.uniform(12, 30), 3.0 * rng.integers(3, 7)
        box = Box((rng.normal(0, 8), distance + 6, tall / 2), (half, 6.0, tall / 2))
        return [Body('building', box, _front_texture(rng, 2 * half))]
    leaves = _leaf_texture(rng)
    wood = []
    for x in np.arange(-60, 61, 9.0):
        radius = rng.uniform(4, 8)
        centre = (x + rng.normal(0, 2), distance + rng.uniform(0, 15), 0.6 * radius)
        wood.append(Body('tree', Sphere(centre, radius), leaves, casts_shadow=False))
    return wood


def _front_texture(rng: np.random.Generator, run: float) -> Texture:
    hue = float(rng.choice([0.02, 0.06, 0.1, 0.13, 0.58, rng.random()]))
    wall = colour(rng, hue, rng.uniform(0.05, 0.5), rng.uniform(0.45, 0.92))
    glass = colour(rng, 0.58, rng.uniform(0.1, 0.4), rng.uniform(0.15, 0.5))
    window = run / max(1, round(run / rng.uniform(1.8, 3.2)))
    return Texture('facade', wall, glass, window, place(rng))


def _trees(rng: np.random.Generator, side: int, edge: float, verge: float) -> list[Body]:
    """Trees on the verge: a trunk and a crown of a few spheres."""
    bodies = []
    leaves = _leaf_texture(rng)
    bark = Texture('foliage', colour(rng, 0.07, 0.4, 0.3), colour(rng, 0.07, 0.3, 0.4), 0.3)
    cursor = rng.uniform(6, 16)
    spacing = rng.choice([7.0, 14.0])
    while cursor < 70:
        trunk, crown = rng.uniform(1.6, 3.2), rng.uniform(1.1, 2.0)
        x = side * (edge + rng.uniform(0.5, max(0.6, verge - 1.0)))
        stem = rng.uniform(0.12, 0.24)
        box = Box((x, cursor, _KERB + trunk / 2), (stem, stem, trunk / 2), rng.uniform(0, 1.5))
        bodies.append(Body('tree', box, bark))
        for _ in range(rng.integers(4, 7)):
            radius = crown * rng.uniform(0.5, 0.95)
            shift = rng.normal(0, 0.45 * crown, 3)
            top = _KERB + trunk + 0.6 * crown + abs(shift[2])
            centre = (x + shift[0], cursor + shift[1], top)
            bodies.append(Body('tree', Sphere(centre, radius), leaves))
        cursor += spacing * rng.uniform(0.7, 1.5)
    return bodies


def _leaf_texture(rng: np.random.Generator) -> Texture:
    autumn = rng.random() < 0.2
    hue = rng.uniform(0.06, 0.14) if autumn else rng.uniform(0.22, 0.36)
    dark = colour(rng, hue, rng.uniform(0.5, 0.8), rng.uniform(0.2, 0.4))
    return Texture('foliage', dark, colour(rng, hue, 0.6, 0.6), 0.55, place(rng))


def _cars(rng: np.random.Generator, road: float, viewer: float) -> list[Body]:
    """Parked cars along both kerbs and a few in the lanes, none where the viewer stands."""
    spots = []
    for side in (-1, 1):
        cursor = rng.uniform(4, 14)
        while cursor < 60:
            spots.append((side * (road / 2 - 1.05), cursor + 2.2))
            cursor += 5.0 + rng.exponential(6.0)
    for _ in range(rng.integers(0, 3)):
        spots.append((rng.choice([-1, 1]) * 1.15, rng.uniform(8, 45)))
    bodies: list[Body] = []
    taken: list[tuple[float, float]] = []
    for x, y in spots:
        blocked = any(abs(x - a) < 2.0 and abs(y - b) < 5.2 for a, b in taken)
        if not blocked and not (abs(x - viewer) < 1.6 and y < 9):
            taken.append((x, y))
            bodies += _car(rng, x, y)
    return bodies


def _car(rng: np.random.Generator, x: float, y: float) -> list[Body]:
    """Body, cabin with a roof, four wheels; about 4.3 m long."""
    half_width, half_length = rng.uniform(0.82, 0.95), rng.uniform(1.9, 2.3)
    waist, roof = rng.uniform(0.85, 1.05), rng.uniform(1.4, 1.8)
    yaw = rng.normal(0, 0.03)
    vivid = rng.random() < 0.55
    paint: Colour = colour(
        rng, rng.random(), rng.uniform(0.6, 0.9) if vivid else 0.04, rng.uniform(0.25, 0.95)
    )
    lacquer = Texture('plain', paint)
    glass = Texture('plain', colour(rng, 0.58, 0.25, 0.25))
    rubber = Texture('plain', (0.012, 0.012, 0.012))
    chrome = Texture('plain', (0.5, 0.5, 0.5))
    lamp = Texture('plain', (0.6, 0.03, 0.03) if x > 0 else (0.9, 0.9, 0.75))

    def part(
        along: float,
        level: float,
        half: tuple[float, float, float],
        texture: Texture,
        shadow: bool = False,
    ) -> Body:
        spot = (x - along * np.sin(yaw), y + along * np.cos(yaw), level)
        return Body('car', Box(spot, half, yaw), texture, shadow)

    back = -0.15 * half_length
    bodies = [
        part(0, (0.3 + waist) / 2, (half_width, half_length, (waist - 0.3) / 2), lacquer, True),
        part(
            back,
            (waist + roof) / 2,
            (0.86 * half_width, 0.58 * half_length, (roof - waist) / 2),
            glass,
            True,
        ),
        part(back, roof, (0.88 * half_width, 0.54 * half_length, 0.035), lacquer),
        part(0, 0.42, (0.98 * half_width, half_length + 0.04, 0.07), chrome),
        part(0, waist - 0.14, (0.93 * half_width, half_length + 0.02, 0.06), lamp),
        part(0, waist - 0.14, (0.6 * half_width, half_length + 0.025, 0.065), lacquer),
    ]
    for across in (-1, 1):
        for along in (-0.62, 0.62):
            side, ahead = across * (half_width - 0.2), along * half_length
            spot = (
                x + side * np.cos(yaw) - ahead * np.sin(yaw),
                y + side * np.sin(yaw) + ahead * np.cos(yaw),
                0.31,
            )
            bodies.append(Body('car', Sphere(spot, 0.31), rubber, casts_shadow=False))
    return bodies


def _sky(rng: np.random.Generator) -> Sky:
    """From clear blue to overcast."""
    clouds = rng.uniform(0.1, 0.85)
    grey = 0.75 * max(0.0, clouds - 0.3)
    return Sky(
        zenith=colour(rng, 0.6, 0.65 * (1 - grey), rng.uniform(0.6, 0.9)),
        horizon=colour(rng, 0.57, 0.15 * (1 - grey), rng.uniform(0.8, 0.95)),
        haze=float(rng.uniform(120, 500)),
        clouds=float(clouds),
        place=place(rng),
    )


def _sun(rng: np.random.Generator, sky: Sky) -> Light:
    """A sun anywhere above, weaker the more clouds there are, and the sky's own light."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(22, 65))
    distance = 1000.0
    direct = rng.uniform(0.8, 1.2) * (1.1 - sky.clouds)
    ambient = rng.uniform(0.35, 0.5) + 0.25 * sky.clouds
    return Light(
        position=(
            float(distance * np.cos(azimuth) * np.cos(elevation)),
            float(distance * np.sin(azimuth) * np.cos(elevation)),
            float(distance * np.sin(elevation)),
        ),
        direct=(direct, 0.95 * direct, 0.85 * direct),
        ambient=(0.92 * ambient, 0.97 * ambient, 1.05 * ambient),
        shade=0.0,
    )
