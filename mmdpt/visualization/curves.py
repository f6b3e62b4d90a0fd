"""Plot what training runs logged."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt

from .logs import Run, smooth
from .picture_files import picture_path

COLUMNS = 3
PANEL = (5.0, 3.4)
"""Width and height of a panel [inch]."""

UNITS = {
    **dict.fromkeys(('aAcc', 'mAcc', 'mIoU', 'mDice', 'mFscore', 'bad_pixels', 'whdr'), '%'),
    **dict.fromkeys(('sq_rel', 'rmse'), 'm'),
}
COLOURS = tuple(matplotlib.color_sequences['tab10'])
DASHES = ('-', '--', ':', '-.')
"""Once all colours are used, they begin again with the next dash."""


def plot_curves(
    runs: Mapping[str, Run], keys: Sequence[str], out: str | Path, window: int = 1
) -> None:
    """Plot values against iterations, with a panel for each key and a colour for each run.

    Each validation is a dot. A curve smoothed over ``window`` training values, see ``smooth``, is
    drawn over its faint original. The suffix of ``out`` chooses the format.

    Raises:
        InputError: If the picture's format is unknown or it cannot be written, or the window is
            less than 1.
    """
    columns = min(COLUMNS, len(keys))
    lines = math.ceil(len(keys) / columns)
    figure, axes = plt.subplots(
        lines,
        columns,
        figsize=(PANEL[0] * columns, PANEL[1] * lines),
        layout='constrained',
        squeeze=False,
        sharex=True,
    )
    try:
        for axis in axes.flat[len(keys) :]:
            axis.set_axis_off()
        for axis, key in zip(axes.flat, keys, strict=False):
            unit = UNITS.get(key.rsplit('/', 1)[-1])
            axis.set(title=key + (f' [{unit}]' if unit else ''), xlabel='iteration')
            axis.tick_params(labelbottom=True)
            axis.grid(alpha=0.3)
            for index, (name, run) in enumerate(runs.items()):
                if key in run:
                    _draw(axis, run, key, name, index, window)
            if len(runs) > 1:
                axis.legend(fontsize='small')
        with picture_path(
            out, [f'.{name}' for name in figure.canvas.get_supported_filetypes()]
        ) as path:
            figure.savefig(path, dpi=120)
    finally:
        plt.close(figure)


def _draw(axis: plt.Axes, run: Run, key: str, name: str, index: int, window: int) -> None:
    steps, values, measured = run[key]
    style: dict[str, Any] = dict(
        color=COLOURS[index % len(COLOURS)], linestyle=DASHES[index // len(COLOURS) % len(DASHES)]
    )
    if measured or len(values) == 1:  # a single value makes no line
        axis.plot(steps, values, **style, label=name, marker='o', markersize=4)
        return
    if window > 1:
        axis.plot(steps, values, **style, alpha=0.25, linewidth=0.8)
    axis.plot(steps, smooth(values, window), **style, label=name, linewidth=1.4)
