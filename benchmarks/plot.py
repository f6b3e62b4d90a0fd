"""Plot time and memory against image size from what inference.py wrote.

python benchmarks/plot.py FILE.json PLOT.png
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt

MEASURES = dict(seconds='time of an image [s]', peak_mb='peak memory above the weights [MB]')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('figures', type=Path, help='JSON file of benchmarks/inference.py --sizes')
    parser.add_argument('plot', type=Path, help='PNG file to write')
    args = parser.parse_args()
    report = json.loads(args.figures.read_text())
    cases = report['by_size']
    figure, axes = plt.subplots(
        len(MEASURES), len(cases), figsize=(5 * len(cases), 7), squeeze=False, sharex=True
    )
    for column, (case, curves) in enumerate(cases.items()):
        for row, (measure, label) in enumerate(MEASURES.items()):
            axis = axes[row, column]
            for name, curve in curves.items():
                points = {int(side): point for side, point in curve['by_side'].items()}
                axis.plot(points, [p[measure] for p in points.values()], 'o-', label=name)
            axis.set(xscale='log', yscale='log', ylabel=label)
            axis.grid(True, which='both', alpha=0.3)
        axes[0, column].set_title(f'{case}, float32, batch 1')
        axes[0, column].legend()
        sides = sorted({int(side) for curve in curves.values() for side in curve['by_side']})
        axes[-1, column].set_xticks(sides, labels=[str(side) for side in sides], minor=False)
        axes[-1, column].minorticks_off()
        axes[-1, column].set_xlabel('side of the square image [px]')
    machine = report['machine']
    figure.suptitle(f'{machine["device"]}, {machine["threads"]} threads, {machine["date"]}')
    figure.tight_layout()
    args.plot.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.plot, dpi=100)


if __name__ == '__main__':
    main()
