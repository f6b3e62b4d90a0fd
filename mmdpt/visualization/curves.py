"""Curves of a training run."""

import json
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt


def plot_training(scalars: Path, out: Path, metric: str = 'mIoU', unit: str = '%') -> None:
    """Plot loss and a metric against iterations.

    Args:
        scalars: ``vis_data/scalars.json`` of a run, one JSON object a line.
        out: Picture to write.
        metric: Name of the validation metric.
        unit: Its unit, for the axis; empty for none.

    Raises:
        ValueError: If the file holds no loss.
    """
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    losses = [(row['step'], row['loss']) for row in rows if 'loss' in row]
    scores = [(row['step'], row[metric]) for row in rows if metric in row]
    if not losses:
        raise ValueError(f'{scalars} holds no loss')
    figure, loss_axis = plt.subplots(figsize=(7, 4), layout='constrained')
    loss_axis.plot(*zip(*losses, strict=True), color='tab:blue')
    loss_axis.set_xlabel('iteration')
    loss_axis.set_ylabel('training loss', color='tab:blue')
    loss_axis.set_ylim(bottom=0)
    if scores:
        score_axis = loss_axis.twinx()
        score_axis.plot(*zip(*scores, strict=True), color='tab:red', marker='o')
        score_axis.set_ylabel(
            f'validation {metric}' + (f' [{unit}]' if unit else ''), color='tab:red'
        )
        score_axis.set_ylim(bottom=0)
    figure.savefig(out, dpi=120)
    plt.close(figure)
