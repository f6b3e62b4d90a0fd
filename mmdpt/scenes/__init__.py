"""The scenes data set: rendered rooms and streets with exact labels and exact depth.

Ray-cast with NumPy alone; nothing is downloaded. Depth is z-depth along the optical axis [m], as
in NYU. ``write_scenes`` writes it to disk, ``render_sample`` makes one picture in memory.
"""

from .classes import CLASSES, LABELS, PALETTE
from .composition import SPLITS, render_sample
from .renderer import Rendering, render
from .walk import render_walk
from .writer import ScenesSummary, intrinsics, write_scenes

__all__ = [
    'CLASSES',
    'LABELS',
    'PALETTE',
    'SPLITS',
    'Rendering',
    'ScenesSummary',
    'intrinsics',
    'render',
    'render_sample',
    'render_walk',
    'write_scenes',
]
