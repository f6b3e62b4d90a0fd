"""Arrange pictures in rows and columns."""

from collections.abc import Sequence

import numpy as np

GAP = 4
"""White space between two pictures [px]."""


def beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Arrange pictures, (H, W, 3) uint8, from left to right; lower ones end in white."""
    height = max(picture.shape[0] for picture in pictures)
    columns = [_pad(picture, height, picture.shape[1] + GAP) for picture in pictures]
    return np.concatenate(columns, axis=1)[:, :-GAP]


def below(pictures: Sequence[np.ndarray], gap: int = GAP) -> np.ndarray:
    """Arrange pictures, (H, W, 3) uint8, from top to bottom; narrower ones end in white."""
    width = max(picture.shape[1] for picture in pictures)
    rows = [_pad(picture, picture.shape[0] + gap, width) for picture in pictures]
    return np.concatenate(rows)[: -gap or None]


def _pad(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    padded = np.full((height, width, 3), 255, np.uint8)
    padded[: picture.shape[0], : picture.shape[1]] = picture
    return padded
