"""Plot time and memory against image size and batch from what inference.py wrote.

python benchmarks/plot.py FILE.json PLOT.png
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, StrMethodFormatter

MEASURES = dict(seconds='time [s]', peak_mb='peak memory above the weights [MB]')
AGAINST = dict(by_side=('side', 'side of the square image [px]'), by_batch=('batch', 'batch'))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('figures', type=Path, help='JSON of inference.py --sizes and --numbers')
    parser.add_argument('plot', type=Path, help='PNG file to write')
    args = parser.parse_args()
    report = json.loads(args.figures.read_text())
    columns = [
        (kind, case, curves) for kind in AGAINST for case, curves in report.get(kind, {}).items()
    ]
    if not columns:
        sys.exit(f'{args.figures} has no curves: run inference.py with --sizes or --numbers')
    figure, axes = plt.subplots(
        len(MEASURES), len(columns), figsize=(4.5 * len(columns), 7), squeeze=False, sharex='col'
    )
    for column, (kind, case, curves) in enumerate(columns):
        for axis, measure in zip(axes[:, column], MEASURES, strict=True):
            draw(axis, curves, AGAINST[kind][0], measure)
        axes[0, column].set_title(f'{case}, float32' + ', batch 1' * (kind == 'by_side'))
        axes[0, column].legend()
        axes[-1, column].set_xlabel(AGAINST[kind][1])
    machine = report['machine']
    figure.suptitle(f'{machine["device"]}, {machine["threads"]} threads, {machine["date"]}')
    figure.tight_layout()
    args.plot.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.plot, dpi=100)


def draw(axis: Axes, curves: dict, against: str, measure: str) -> None:
    """Draw one measure of every rival."""
    for name, curve in curves.items():
        points = curve['points']
        if not points:  # a peer that takes none of these sizes
            continue
        numbers = [point[against] for point in points]
        axis.plot(numbers, [point[measure] for point in points], 'o-', label=name)
    ticks = sorted({point[against] for curve in curves.values() for point in curve['points']})
    axis.set(xscale='log', yscale='log', ylabel=MEASURES[measure])
    axis.set_xticks(ticks, labels=[str(tick) for tick in ticks], minor=False)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axis.minorticks_off()
    axis.grid(alpha=0.3)


if __name__ == '__main__':
    main()
