"""Lay pictures beside and below each other."""

from collections.abc import Sequence

import numpy as np

GAP = 4
"""White between two pictures [px]."""


def beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Lay pictures, (H, W, 3) uint8, from left to right; white below the lower ones."""
    height = max(picture.shape[0] for picture in pictures)
    columns = [_pad(picture, height, picture.shape[1] + GAP) for picture in pictures]
    return np.concatenate(columns, axis=1)[:, :-GAP]


def below(pictures: Sequence[np.ndarray], gap: int = GAP) -> np.ndarray:
    """Lay pictures, (H, W, 3) uint8, from top to bottom; white beside the narrower ones."""
    width = max(picture.shape[1] for picture in pictures)
    rows = [_pad(picture, picture.shape[0] + gap, width) for picture in pictures]
    return np.concatenate(rows)[: -gap or None]


def _pad(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    padded = np.full((height, width, 3), 255, np.uint8)
    padded[: picture.shape[0], : picture.shape[1]] = picture
    return padded
