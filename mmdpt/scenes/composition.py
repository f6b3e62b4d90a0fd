"""Image k of a split: which scene, seen from where; a function of seed, split and k alone."""

import numpy as np

from .renderer import Rendering, render
from .rooms import room
from .scene import View
from .streets import street

SPLITS = ('training', 'validation')


def compose(rng: np.random.Generator, index: int, size: tuple[int, int]) -> View:
    """Draw a scene: a room for an even index, a street for an odd one; ``size`` in [px]."""
    return street(rng, size) if index % 2 else room(rng, size)


def render_sample(
    seed: int, split: str, index: int, size: tuple[int, int]
) -> tuple[View, Rendering]:
    """Compose and render image ``index`` (from 0) of a split at ``size`` (width, height) [px]."""
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    view = compose(rng, index, size)
    return view, render(view.scene, view.camera, rng)
