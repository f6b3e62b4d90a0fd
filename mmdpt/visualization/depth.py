"""Pictures of depth maps."""

import math

import cv2
import numpy as np
from matplotlib import colormaps

from .layout import GAP, below, beside

LEGEND_HEIGHT = 34
TICKS = 5
DEPTH_COLOURS = 'magma_r'
DISPARITY_COLOURS = 'magma'
"""What is near has the same bright colours in both."""
ERROR_COLOURS = 'inferno'
GREATEST_ERROR = 0.5
"""Relative error with the last colour of its scale."""
RELATIVE = 'relative disparity'
"""Stands for the unit of disparity up to scale and shift."""

Legend = tuple[float, float, str, str]
"""Ends of a colour scale, its colours, what its numbers are."""


def colour_range(values: np.ndarray) -> tuple[float, float]:
    """Give the 2nd and the 98th percentile of the finite values: the ends of a colour scale.

    Raises:
        ValueError: If no value is finite.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ValueError('the map holds no finite number')
    low, high = np.percentile(finite, (2, 98)).tolist()
    return low, high


def colours_of(unit: str) -> str:
    """Name the colours of a map by its unit: depth [m], or else disparity."""
    return DEPTH_COLOURS if unit == 'm' else DISPARITY_COLOURS


def colourise_depth(
    values: np.ndarray, low: float, high: float, colours: str = DEPTH_COLOURS
) -> np.ndarray:
    """Colour a map (H, W) from ``low`` to ``high``; NaN is black.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    colour_map = colormaps[colours]
    table = (colour_map(np.arange(colour_map.N))[:, :3] * 255).round().astype(np.uint8)
    missing = np.isnan(values)
    share = np.clip((np.where(missing, low, values) - low) / max(high - low, 1e-12), 0, 1)
    picture = table[np.minimum((share * colour_map.N).astype(int), colour_map.N - 1)]
    picture[missing] = 0
    return picture


def depth_panel(
    image: np.ndarray, truth: np.ndarray | None, prediction: np.ndarray, unit: str = 'm'
) -> np.ndarray:
    """Lay image | ground truth | prediction | relative error side by side, legends below.

    Ground truth and prediction share one scale, from the 2nd to the 98th percentile of the ground
    truth (of the prediction where there is none).

    Args:
        image: (H, W, 3) uint8 RGB.
        truth: Depth [m], (H, W), NaN where invalid; None leaves truth and error out.
        prediction: (H, W), depth [m] where there is a truth.
        unit: Of the prediction, for legend and colours: 'm'; '1/m' or 'relative disparity', whose
            colours run the other way, so that what is near looks alike.

    Returns:
        (H + legend, W', 3) uint8 RGB.

    Raises:
        ValueError: If no number is finite.
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
    """Draw a colour bar with numbers, (LEGEND_HEIGHT, width, 3); white for None."""
    canvas = np.full((LEGEND_HEIGHT, width, 3), 255, np.uint8)
    if legend is None:
        return canvas
    low, high, colours, unit = legend
    ramp = np.linspace(low, high, width)[None].repeat(10, axis=0)
    canvas[4:14] = colourise_depth(ramp, low, high, colours)
    scale, free = 0.35, width
    for share in np.linspace(1, 0, TICKS):  # first the one that says what the numbers are
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
    """Write with two digits of the step to the next number; '1850', not '1.8e+03'."""
    decimals = 1 - math.floor(math.log10(step)) if step > 0 else 0
    if step <= 0 or decimals > 5 or abs(value) >= 1e6:
        return f'{value:.3g}'
    return f'{value:.{max(0, decimals)}f}'
