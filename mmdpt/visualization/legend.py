"""Draw text and legends of classes."""

from collections.abc import Sequence

import cv2
import numpy as np

from .tiling import GAP

LINE_HEIGHT = 16
TEXT_SCALE = 0.38


def class_legend(classes: Sequence[tuple[str, Sequence[int]]], width: int) -> np.ndarray:
    """Draw class names beside their colours, RGB, on as many lines as a width [px] needs.

    Gives (lines * 16, width, 3) uint8 RGB.
    """
    places, x, y = [], 0, 0
    for name, _ in classes:
        (text_width, _), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, 1)
        needed = LINE_HEIGHT + text_width + 2 * GAP
        if x and x + needed > width:
            x, y = 0, y + LINE_HEIGHT
        places.append((x, y))
        x += needed
    canvas = np.full((y + LINE_HEIGHT, width, 3), 255, np.uint8)
    for (name, colour), (x, y) in zip(classes, places, strict=True):
        canvas[y + 4 : y + LINE_HEIGHT - 1, x : x + LINE_HEIGHT - GAP] = colour
        write_line(canvas, name, x + LINE_HEIGHT, y)
    return canvas


def write_line(canvas: np.ndarray, text: str, x: int, y: int) -> None:
    """Write a line into ``canvas``, with its upper left corner at (x, y)."""
    foot = x, y + LINE_HEIGHT - 4
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(canvas, text, foot, font, TEXT_SCALE, (0, 0, 0), 1, cv2.LINE_AA)
