"""Read and compare what training runs logged."""

import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmdpt.errors import InputError
from mmdpt.files.list_files import json_object, parse_each, read_text

SCALARS = Path('vis_data', 'scalars.json')
"""The file that MMEngine writes below the time-stamped folder of each start."""

HEADLINES = ('loss', 'mIoU', 'abs_rel', 'whdr')
"""Keys that a comparison shows by default, if a run has them."""

NOT_CURVES = ('step', 'iter', 'epoch')
GREATER_IS_BETTER = re.compile(r'[am]?(Acc|IoU|Dice|Fscore|Precision|Recall)|acc_\w+|d[123]')
LESS_IS_BETTER = re.compile(
    r'(aux_)?loss(_\w+)?|abs_rel|sq_rel|rmse(_log)?|log10|silog\w*|bad_pixels|whdr'
)


class Curve(NamedTuple):
    """Values of one key.

    Attributes:
        steps: Iterations, (n,), increasing.
        values: (n,) float64, NaN where the run logged so.
        measured: Whether validations gave the values, not training batches.
    """

    steps: np.ndarray
    values: np.ndarray
    measured: bool


Run = dict[str, Curve]
"""The curves of a run, by key."""


class _Row(NamedTuple):
    step: int
    measured: bool
    values: dict[str, float]


def read_run(path: str | Path) -> Run:
    """Read a run from its work dir, a time-stamped folder in that, or one ``scalars.json``.

    A resumed start replaces what was logged from its first step on; any other start replaces
    everything before it.

    Raises:
        InputError: If there is no run or nothing is logged, or MMEngine did not write a line.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f'no run {path}: neither a work dir nor a scalars.json')
    files = [path]
    if path.is_dir():
        files = sorted(file for folder in ('', '*/') for file in path.glob(f'{folder}{SCALARS}'))
        if not files:
            raise InputError(f'{path} is no work dir: it holds no */{SCALARS}')
    rows: list[_Row] = []
    for file in files:
        later = _read_rows(file)
        if later:
            kept = later[0].step if _is_resumed(file) else 0
            rows = [row for row in rows if row.step < kept] + later
    if not rows:
        raise InputError(f'{path}: nothing is logged yet')
    return _curves(rows)


def read_runs(paths: Sequence[str | Path]) -> dict[str, Run]:
    """Read several runs; name each by the fewest last folders of its path that are unique.

    Raises:
        InputError: See ``read_run``; also if a run is named twice.
    """
    folders = [_folder(Path(path)) for path in paths]
    if len(set(folders)) < len(folders):
        raise InputError(f'a run is named twice: {", ".join(map(str, paths))}')
    for number in count(1):
        names = ['/'.join(folder.parts[-number:]) for folder in folders]
        if len(set(names)) == len(names):
            break
    return {name: read_run(path) for name, path in zip(names, paths, strict=True)}


def choose_keys(runs: Sequence[Run], keys: Sequence[str] | None = None) -> list[str]:
    """Check the keys, or choose the loss and the main metrics of the runs.

    Raises:
        InputError: If no run has a key; the message names those that there are.
    """
    known = list(dict.fromkeys(key for run in runs for key in run))
    chosen = list(keys) if keys else [key for key in HEADLINES if key in known]
    unknown = [key for key in chosen if key not in known]
    if unknown or not chosen:
        what = f'no run holds {", ".join(unknown)}' if unknown else 'no run holds a loss or metric'
        raise InputError(f'{what}; there are: {", ".join(known)}')
    return chosen


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Average each value with the ``window - 1`` values before it, or fewer at the start.

    The averages leave out NaN, which stays where it is.

    Raises:
        InputError: If the window is less than 1.
    """
    if window < 1:
        raise InputError(f'values are smoothed over 1 or more, got {window}')
    valid = np.isfinite(values)
    means = [
        values[max(0, end - window) : end][valid[max(0, end - window) : end]].mean()
        if valid[end - 1]
        else np.nan
        for end in range(1, len(values) + 1)
    ]
    return np.array(means)


def best(key: str, curve: Curve) -> tuple[int, float] | None:
    """Find the step and the value of the best; the first one of equals.

    None if no value is finite, or neither more nor less is better, as for the learning rate.
    """
    name = re.split(r'[./]', key)[-1]
    greater = GREATER_IS_BETTER.fullmatch(name)
    valid = np.isfinite(curve.values)
    if not valid.any() or not (greater or LESS_IS_BETTER.fullmatch(name)):
        return None
    ranked = np.where(valid, -curve.values if greater else curve.values, np.inf)
    index = int(ranked.argmin())
    return int(curve.steps[index]), float(curve.values[index])


def summary(runs: dict[str, Run], keys: Sequence[str]) -> str:
    """Format a table of the last and the best value of each key and run, with iterations."""
    lines = [['key', 'run', 'last', 'at', 'best', 'at']]
    for key in keys:
        for name, run in runs.items():
            cells = ['-'] * 4
            if key in run:
                curve = run[key]
                cells[:2] = f'{curve.values[-1]:.4g}', str(curve.steps[-1])
                if found := best(key, curve):
                    cells[2:] = f'{found[1]:.4g}', str(found[0])
            lines.append([key, name, *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return '\n'.join(
        '  '.join(
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _folder(path: Path) -> Path:
    """Return the folder that names a run: its path without 'vis_data/scalars.json'."""
    path = path.resolve()
    return path.parents[1] if path.parts[-2:] == SCALARS.parts else path


def _read_rows(file: Path) -> list[_Row]:
    """Read a file, without a last line that is still being written."""
    lines = read_text(file).splitlines(keepends=True)
    if lines and not lines[-1].endswith('\n'):
        lines.pop()
    rows: list[_Row] = []
    trained = 0
    for values in parse_each(file, enumerate(lines, 1), _parse):
        step, measured = int(values['step']), 'iter' not in values
        if measured:  # counted in epochs where training is: put it after the last iteration
            step = max(step, trained)
        else:
            trained = step
        rows.append(_Row(step, measured, values))
    return rows


def _parse(line: str) -> dict[str, float]:
    row = json_object(line)
    if not isinstance(row.get('step'), int):
        raise InputError('step is no whole number')
    too_large = [key for key, value in row.items() if isinstance(value, int) and abs(value) >> 63]
    if too_large:
        raise InputError(f'{too_large[0]} has more than 63 bits')
    return {
        key: float('nan') if value is None else value
        for key, value in row.items()
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }


def _is_resumed(file: Path) -> bool:
    """Whether the config of a start says that it resumed; without a config, it did."""
    config = file.with_name('config.py')
    return not config.is_file() or re.search('^resume = False', config.read_text(), re.M) is None


def _curves(rows: Sequence[_Row]) -> Run:
    """Collect the values by key; if both kinds of rows have a key, keep those of training."""
    trained = {key for row in rows if not row.measured for key in row.values}
    points: dict[str, dict[int, float]] = {}
    for row in sorted(rows, key=lambda row: row.step):
        for key, value in row.values.items():
            if key not in NOT_CURVES and (not row.measured or key not in trained):
                points.setdefault(key, {})[row.step] = value
    return {
        key: Curve(
            np.array(list(values), int), np.array(list(values.values()), float), key not in trained
        )
        for key, values in points.items()
    }
