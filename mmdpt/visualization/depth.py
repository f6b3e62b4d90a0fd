"""Draw depth and disparity maps."""

import math

import cv2
import numpy as np
from matplotlib import colormaps

from .tiling import GAP, below, beside

LEGEND_HEIGHT = 34
TICKS = 5
DEPTH_COLOURS = 'magma_r'
DISPARITY_COLOURS = 'magma'
"""Both draw near pixels bright."""
ERROR_COLOURS = 'inferno'
GREATEST_ERROR = 0.5
"""Relative error at the end of the colour scale."""
RELATIVE = 'relative disparity'
"""Label in place of a unit, for disparity up to scale and shift."""

Legend = tuple[float, float, str, str]
"""Low end, high end, colour map and label of a colour scale."""


def colour_range(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of a colour scale: 2nd and 98th percentile of the finite values.

    Raises:
        ValueError: If no value is finite.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ValueError('the map holds no finite number')
    low, high = np.percentile(finite, (2, 98)).tolist()
    return low, high


def colours_of(unit: str) -> str:
    """Choose the colour map for depth [m] or, with any other unit, for disparity."""
    return DEPTH_COLOURS if unit == 'm' else DISPARITY_COLOURS


def colourise_depth(
    values: np.ndarray, low: float, high: float, colours: str = DEPTH_COLOURS
) -> np.ndarray:
    """Colour a map (H, W) from ``low`` to ``high``, as (H, W, 3) uint8 RGB; NaN is black."""
    colour_map = colormaps[colours]
    table = (colour_map(np.arange(colour_map.N))[:, :3] * 255).round().astype(np.uint8)
    missing = np.isnan(values)
    share = np.clip((np.where(missing, low, values) - low) / max(high - low, 1e-12), 0, 1)
    picture = table[np.minimum((share * colour_map.N).astype(int), colour_map.N - 1)]
    picture[missing] = 0
    return picture


def colourise_normals(normals: np.ndarray) -> np.ndarray:
    """Colour unit normals (H, W, 3), x right, y down, z forward, as (H, W, 3) uint8 RGB.

    Red is right, green up and blue towards the camera; NaN is black.
    """
    colours = 127.5 * (1 + normals * (1, -1, -1))
    return np.nan_to_num(colours.round(), nan=0).astype(np.uint8)


def depth_panel(
    image: np.ndarray, truth: np.ndarray | None, prediction: np.ndarray, unit: str = 'm'
) -> np.ndarray:
    """Draw image | ground truth | prediction | relative error side by side, with legends below.

    Ground truth and prediction share a colour scale: the 2nd to the 98th percentile of the ground
    truth or, without one, of the prediction. Without truth there is no error either. Image and
    picture are RGB of 8 bits; maps are (H, W). The truth is depth [m], NaN where invalid, and so is
    then the prediction. Colours of the units '1/m' and 'relative disparity' run the other way than
    those of 'm', so that near pixels look alike in all.

    Raises:
        ValueError: If no value is finite.
    """
    scaled = prediction if truth is None or not np.isfinite(truth).any() else truth
    low, high = colour_range(scaled)
    colours = colours_of(unit)
    legend = (low, high, colours, unit if unit == RELATIVE else f'[{unit}]')
    columns: list[tuple[np.ndarray, Legend | None]] = [(image, None)]
    if truth is not None:
        columns.append((colourise_depth(truth, low, high, colours), legend))
    columns.append((colourise_depth(prediction, low, high, colours), legend))
    if truth is not None:
        error = np.abs(prediction - truth) / truth
        columns.append(
            (
                colourise_depth(error, 0, GREATEST_ERROR, ERROR_COLOURS),
                (0, GREATEST_ERROR, ERROR_COLOURS, '|error| / depth'),
            )
        )
    return beside(
        [
            below([picture, colour_bar(picture.shape[1], legend)], gap=0)
            for picture, legend in columns
        ]
    )


def colour_bar(width: int, legend: Legend | None) -> np.ndarray:
    """Draw a colour bar with numbers, (LEGEND_HEIGHT, width, 3); None gives a white one."""
    canvas = np.full((LEGEND_HEIGHT, width, 3), 255, np.uint8)
    if legend is None:
        return canvas
    low, high, colours, unit = legend
    ramp = np.linspace(low, high, width)[None].repeat(10, axis=0)
    canvas[4:14] = colourise_depth(ramp, low, high, colours)
    scale, free = 0.35, width
    for share in np.linspace(1, 0, TICKS):  # the last number first: it carries the label
        text = _number(low + share * (high - low), (high - low) / (TICKS - 1))
        if share == 1:
            text = f'{text} {unit}'
        text_width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
        x = max(0, min(int(share * width - text_width / 2), width - text_width))
        if share == 1 or x + text_width <= free:
            free = x - GAP
            place = (x, 28)
            cv2.putText(
                canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA
            )
    return canvas


def _number(value: float, step: float) -> str:
    """Format a number to two digits of ``step``; '1850', not '1.8e+03'."""
    decimals = 1 - math.floor(math.log10(step)) if step > 0 else 0
    if step <= 0 or decimals > 5 or abs(value) >= 1e6:
        return f'{value:.3g}'
    return f'{value:.{max(0, decimals)}f}'
