"""Pictures of depth maps."""

import cv2
import numpy as np
from matplotlib import colormaps

from mmdpt.visualization.layout import below, beside

LEGEND_HEIGHT = 34
TICKS = 5
DEPTH_COLOURS = 'magma_r'
ERROR_COLOURS = 'inferno'
GREATEST_ERROR = 0.5
"""Relative error with the last colour of its scale."""

Legend = tuple[float, float, str, str]
"""Ends of a colour scale, its colours, what its numbers are."""


def colourise_depth(
    values: np.ndarray, low: float, high: float, colours: str = DEPTH_COLOURS
) -> np.ndarray:
    """Colour a map (H, W) from ``low`` to ``high``; NaN is black.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    valid = np.isfinite(values)
    share = np.clip((np.where(valid, values, low) - low) / max(high - low, 1e-12), 0, 1)
    picture = (colormaps[colours](share)[..., :3] * 255).round().astype(np.uint8)
    picture[~valid] = 0
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
        prediction: Depth, (H, W), in metres where there is a truth.
        unit: What the legend says of the numbers.

    Returns:
        (H + legend, W', 3) uint8 RGB.
    """
    scaled = prediction if truth is None or not np.isfinite(truth).any() else truth
    low, high = np.nanpercentile(np.where(np.isfinite(scaled), scaled, np.nan), (2, 98))
    depth_legend = (low, high, DEPTH_COLOURS, f'[{unit}]')
    columns: list[tuple[np.ndarray, Legend | None]] = [(image, None)]
    if truth is not None:
        columns.append((colourise_depth(truth, low, high), depth_legend))
    columns.append((colourise_depth(prediction, low, high), depth_legend))
    if truth is not None:
        error = np.abs(prediction - truth) / truth
        columns.append(
            (
                colourise_depth(error, 0, GREATEST_ERROR, ERROR_COLOURS),
                (0, GREATEST_ERROR, ERROR_COLOURS, '|error| / depth'),
            )
        )
    return beside(
        [below([picture, _legend(picture.shape[1], legend)], gap=0) for picture, legend in columns]
    )


def _legend(width: int, legend: Legend | None) -> np.ndarray:
    """Draw a colour bar with numbers, (LEGEND_HEIGHT, width, 3); white for None."""
    canvas = np.full((LEGEND_HEIGHT, width, 3), 255, np.uint8)
    if legend is None:
        return canvas
    low, high, colours, unit = legend
    ramp = np.linspace(low, high, width)[None].repeat(10, axis=0)
    canvas[4:14] = colourise_depth(ramp, low, high, colours)
    scale = 0.35
    for share in np.linspace(0, 1, TICKS):
        text = f'{low + share * (high - low):.2g}'
        if share == 1:
            text = f'{text} {unit}'
        text_width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
        x = int(np.clip(share * width - text_width / 2, 0, width - text_width))
        cv2.putText(
            canvas, text, (x, 28), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA
        )
    return canvas
