"""A camera that walks through one scene: a video with exact depth."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .composition import SPLITS, compose
from .geometry import Camera
from .renderer import Rendering, render

PACE, SWAY, BOB = 0.02, 0.04, 0.015
"""Metres ahead in a frame, and to the sides and up and down in a step; slow at 30 frames a second.
"""
STEP = 30
"""Frames in two steps, left and right."""
TURN = 0.1
"""By how much the camera looks aside at most [rad]."""


def render_walk(
    seed: int, split: str, index: int, size: tuple[int, int], frames: int = 60
) -> Iterator[tuple[Camera, Rendering]]:
    """Walk ahead from where image ``index`` of a split is taken, see ``render_sample``.

    The world stands still and the lamp or sun too; the sensor's noise is new in each frame. 60
    frames are 1.2 m, which no scene obstructs: the bodies before the camera are below it.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    view = compose(rng, index, size)
    start = view.camera
    ahead = np.array([-np.sin(start.yaw), np.cos(start.yaw), 0])
    right = np.array([ahead[1], -ahead[0], 0])
    for k in range(frames):
        phase = 2 * np.pi * k / STEP
        x, y, z = (
            np.array(start.position)
            + PACE * k * ahead
            + SWAY * np.sin(phase) * right
            + (0, 0, BOB * np.sin(2 * phase))
        )
        yaw = start.yaw + TURN * np.sin(2 * np.pi * k / frames)
        camera = replace(start, position=(float(x), float(y), float(z)), yaw=float(yaw))
        yield camera, render(view.scene, camera, rng)
