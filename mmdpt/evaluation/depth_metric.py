"""Depth metrics by every published protocol, with an interval for each."""

import json
import logging
import math
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdpt.errors import InputError, check_choice
from mmdpt.files.paths import name_some
from mmdpt.registry import METRICS

from .bootstrap import CONFIDENCE, bootstrap_interval
from .boundaries import CONVENTIONS, SCORES, boundary_scores
from .crops import CROPS, crop_slices
from .depth_alignment import align_depth, check_alignment
from .depth_errors import ERRORS, depth_errors

LEAST_PIXELS = 10
"""Fewer are not aligned to, as in DepthAnything/Depth-Anything-V2, metric_depth/train.py: scale and
shift fit two pixels exactly."""


def image_name(sample: dict) -> str:
    """Return what errors call the image of a sample: its path."""
    return str(sample.get('img_path') or 'an image without img_path')


def read_map(sample: dict, key: str) -> np.ndarray:
    """Return the map ``sample[key]['data']``, (1, H, W) or (H, W), as (H, W) float64.

    Raises:
        InputError: If the sample has no such map or it has another shape.
    """
    if key not in sample:
        raise InputError(f'{image_name(sample)}: the sample has no {key}')
    values = torch.as_tensor(sample[key]['data']).detach().to('cpu', torch.float64).numpy()
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2:
        raise InputError(
            f'{image_name(sample)}: {key} must be (1, H, W) or (H, W), got {values.shape}'
        )
    return values


def leave_out_empty(results: list[dict], count: str, what: str, least: int = 1) -> list[dict]:
    """Keep the results whose ``count`` is ``least`` or more, naming the others in a warning.

    Raises:
        InputError: If none is left.
    """
    left_out = [result['img_path'] for result in results if result[count] < least]
    if len(left_out) == len(results):
        number = f'{least} {what}' if least > 1 else what
        raise InputError(f'nothing to evaluate: none of {len(results)} images has {number}')
    if left_out:
        number = f'fewer than {least}' if least > 1 else 'no'
        print_log(
            f'{len(left_out)} of {len(results)} images have {number} {what} and are left out of '
            f'the metrics:{name_some(left_out)}',
            logger='current',
            level=logging.WARNING,
        )
    return [result for result in results if result[count] >= least]


def _default_output(alignment: str) -> str:
    return 'relative' if alignment == 'lstsq' else 'depth'


@METRICS.register_module()
class DepthMetric(BaseMetric):
    """Means over images of the errors in ``depth_errors.ERRORS``; see there for their units.

    Reads ``pred_depth_map`` and ``gt_depth_map`` of each sample, (1, H, W) or (H, W) of one size.
    Ground truth [m] that is NaN, infinite or <= 0 is invalid; evaluated are the valid pixels inside
    the crop with min_depth < ground truth < max_depth (as BTS and mmseg, both ends excluded). An
    image without any, or with fewer than 10 to align to, is named in a warning and left out. Where
    ``depth_map_path`` of every sample is None there are no metrics. The 95 % intervals stand in
    the log and in ``intervals``.

    Args:
        min_depth: Lower end of the range [m]; predictions are clamped to the range.
        max_depth: Upper end of the range [m]: NYU and TUM 10, KITTI 80, ETH3D and Sintel 72.
        crop: 'nyu', 'garg', 'eigen', 'kb' or 'kb-garg' (see ``crops``), None for the whole image.
        alignment: 'none', 'median' or 'lstsq', fitted for each image to the pixels evaluated (see
            ``align_depth``).
        output: What is predicted: 'relative', 'disparity' [1/m] or 'depth' [m]. None means what
            the sample's ``depth_output`` says, without it 'relative' with alignment 'lstsq', else
            'depth'.
        images: Pattern of the file names to count ('kitchen_*'), None for all.
        per_image_file: JSON lines file for the errors of each image, replaced by every evaluation.
        bootstrap: Resamples for the intervals, 0 for none.
        seed: Seed of the resampling.
        boundaries: Conventions of ``boundary_scores``, whose precision, recall and F1 of edges are
            metrics, too: 'depth_pro' gives 'depth_pro_precision', ...
        output_dir: Folder for predictions as 16-bit PNG, named as the images; as in mmseg.
        depth_scale_factor: Value of 1 m in these files.
        format_only: Write these files and evaluate nothing.
        **kwargs: Arguments of mmengine's ``BaseMetric``: ``prefix``, ``collect_device``, ...

    Raises:
        ValueError: If an argument is unknown or the range is empty.
    """

    default_prefix = None

    def __init__(
        self,
        min_depth: float = 1e-3,
        max_depth: float = 10.0,
        crop: str | None = None,
        alignment: str = 'none',
        output: str | None = None,
        images: str | None = None,
        per_image_file: str | None = None,
        bootstrap: int = 1000,
        seed: int = 0,
        boundaries: Sequence[str] = (),
        output_dir: str | None = None,
        depth_scale_factor: float = 1.0,
        format_only: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_dir, self.format_only = output_dir, format_only
        self.depth_scale_factor = depth_scale_factor
        if not (0 < min_depth < max_depth and math.isfinite(max_depth)):
            raise ValueError(
                f'expected 0 < min_depth < max_depth, finite, got {min_depth} and {max_depth}'
            )
        check_choice('crop', crop, (None, *CROPS))
        if bootstrap < 0:
            raise ValueError(f'bootstrap must be at least 0, got {bootstrap}')
        if unknown := set(boundaries) - set(CONVENTIONS):
            raise ValueError(f'boundaries must be among {CONVENTIONS}, got {sorted(unknown)}')
        check_alignment(alignment, output or _default_output(alignment))
        self.boundaries = boundaries
        self.names = [*ERRORS, *(f'{name}_{score}' for name in boundaries for score in SCORES)]
        self.output = output
        self.images = images
        self.min_depth = min_depth
        self.max_depth = max_depth
        self.crop = crop
        self.alignment = alignment
        self.least_pixels = 1 if alignment == 'none' else LEAST_PIXELS
        self.per_image_file = per_image_file
        self.bootstrap = bootstrap
        self.seed = seed
        self.intervals: dict[str, tuple[float, float]] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the errors of each image, and write its file.

        Raises:
            InputError: If sizes differ, the crop is not defined for the size, the prediction is
                another output than asked for or cannot be aligned so, or is NaN or infinite at an
                evaluated pixel; names the image.
        """
        for sample in data_samples if self.output_dir else ():
            values = read_map(sample, 'pred_depth_map') * self.depth_scale_factor
            image = np.nan_to_num(values).clip(0, 65535).astype(np.uint16)
            mmcv.imwrite(image, f'{self.output_dir}/{Path(sample["img_path"]).stem}.png')
        if self.format_only:
            return
        # one entry for every image, valid or not: collecting from processes goes by position
        self.results.extend(self._evaluate(sample) for sample in data_samples)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average over images; write the log table and the per-image file.

        Raises:
            InputError: If no image has a valid pixel.
        """
        if self.format_only:
            return {}
        results = [result for result in results if self._counts(result['img_path'])]
        if not results:
            raise InputError(f'nothing to evaluate: no image is named {self.images}')
        if self.per_image_file is not None:
            path = Path(self.per_image_file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(''.join(json.dumps(result) + '\n' for result in results))
        results = [result for result in results if not result.get('without_depth')]
        if not results:
            print_log('no image has ground truth: there are no metrics', logger='current')
            return {}
        scored = leave_out_empty(results, 'valid_pixels', 'valid pixels', self.least_pixels)
        values = np.array([[result[name] for name in self.names] for result in scored])
        metrics = dict(zip(self.names, values.mean(axis=0).tolist(), strict=True))
        self.intervals = {}
        if self.bootstrap:
            low, high = bootstrap_interval(values, self.bootstrap, self.seed)
            ends = zip(low.tolist(), high.tolist(), strict=True)
            self.intervals = dict(zip(self.names, ends, strict=True))
        print_log(self._table(metrics, len(scored)), logger='current')
        return metrics

    def _evaluate(self, sample: dict) -> dict:
        name = image_name(sample)
        if not self._counts(name):
            return {'img_path': name}
        output = self._output_of(sample, name)
        listed_without = sample.get('depth_map_path', '') is None or 'gt_sem_seg' in sample
        if 'gt_depth_map' not in sample and listed_without:
            return {'img_path': name, 'valid_pixels': 0, 'without_depth': True}
        pred = read_map(sample, 'pred_depth_map')
        target = read_map(sample, 'gt_depth_map')
        if pred.shape != target.shape:
            raise InputError(
                f'{name}: prediction {pred.shape} and ground truth {target.shape} differ in size'
            )
        valid = np.flatnonzero(self._valid_pixels(target, name))
        result = {'img_path': name, 'valid_pixels': len(valid)}
        if len(valid) < self.least_pixels:
            return result
        shape = target.shape
        pred, target = pred.ravel().take(valid), target.ravel().take(valid)
        wrong = len(pred) - np.count_nonzero(np.isfinite(pred))
        if wrong:
            raise InputError(
                f'{name}: the prediction is NaN or infinite at {wrong} of '
                f'{result["valid_pixels"]} evaluated pixels'
            )
        depth = align_depth(
            pred,
            target,
            np.ones(len(pred), bool),
            alignment=self.alignment,
            output=output,
            min_depth=self.min_depth,
            max_depth=self.max_depth,
        )
        result.update(depth_errors(depth, target))
        if self.boundaries:
            maps = np.full((2, *shape), np.nan)
            maps.reshape(2, -1)[:, valid] = depth, target
        for convention in self.boundaries:
            scores = boundary_scores(maps[0], maps[1], convention)
            result.update({f'{convention}_{score}': value for score, value in scores.items()})
        return result

    def _counts(self, name: str) -> bool:
        return self.images is None or fnmatch(Path(name).name, self.images)

    def _output_of(self, sample: dict, name: str) -> str:
        said = sample.get('depth_output')
        if said and self.output and said != self.output:
            raise InputError(f'{name}: the model predicts {said}, the metric is for {self.output}')
        output = self.output or said or _default_output(self.alignment)
        try:
            check_alignment(self.alignment, output)
        except ValueError as error:
            raise InputError(f'{name}: {error}') from error
        return output

    def _valid_pixels(self, target: np.ndarray, name: str) -> np.ndarray:
        # float32 like the loaders' maps, where 1 mm is not above 1e-3; NaN compares false
        low, high = np.float32(self.min_depth), np.float32(self.max_depth)
        valid = (target > low) & (target < high)
        if self.crop is None:
            return valid
        inside = np.zeros_like(valid)
        try:
            inside[crop_slices(self.crop, *target.shape)] = True
        except ValueError as error:
            raise InputError(f'{name}: {error}') from error
        return valid & inside

    def _table(self, metrics: dict[str, float], images: int) -> str:
        where = f', crop {self.crop}' if self.crop else ''
        lines = [
            f'depth errors, mean over {images} images{where} ({CONFIDENCE} % bootstrap interval):'
        ]
        width = 1 + max(len(name) for name in metrics)
        for name, mean in metrics.items():
            interval = ''
            if self.intervals:
                low, high = self.intervals[name]
                interval = f'  {name}_low {low:.4f}  {name}_high {high:.4f}'
            lines.append(f'  {name:<{width}}{mean:9.4f}{interval}')
        return '\n'.join(lines)
