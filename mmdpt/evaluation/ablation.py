"""Compare variants of a depth model, each image by image."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .depth_metric import bootstrap_interval

METRICS = ('abs_rel', 'd1', 'rmse')
RESAMPLES = 1000


def read_errors(per_image_file: Path) -> np.ndarray:
    """Read METRICS of each image from a file of ``DepthMetric(per_image_file=...)``, (N, 3)."""
    results = [json.loads(line) for line in per_image_file.read_text().splitlines()]
    return np.array([[r[name] for name in METRICS] for r in results if r['valid_pixels']])


def ablation_table(errors: Mapping[str, np.ndarray], base: str) -> str:
    """Write a markdown table: a row a variant, AbsRel beside the base's on the same images.

    The change's 95 % interval is a paired bootstrap over images, so that images which are hard for
    both variants do not widen it. It does not cover what another seed of training would change.
    ``errors`` has METRICS of each image, (N, 3), by variant; every variant on the same images.
    """
    lines = [
        '| variant | AbsRel | change of AbsRel (95 %) | d1 | RMSE [m] |',
        '|---|---|---|---|---|',
    ]
    for name, values in errors.items():
        abs_rel, d1, rmse = values.mean(axis=0)
        change = '-'
        if name != base:
            difference = values[:, :1] - errors[base][:, :1]
            low, high = bootstrap_interval(difference, RESAMPLES)
            change = f'{difference.mean():+.4f} ({low[0]:+.4f} to {high[0]:+.4f})'
        lines.append(f'| {name} | {abs_rel:.4f} | {change} | {d1:.3f} | {rmse:.2f} |')
    return '\n'.join(lines) + '\n'
