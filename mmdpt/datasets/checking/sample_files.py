"""Read a sample's files with its pipeline's loading steps, and continue after a trouble."""

import copy
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from mmcv.transforms import LoadAnnotations as MMCVLoadAnnotations
from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile
from mmengine.dataset import BaseDataset

from mmdpt.datasets.label_values import IGNORE_INDEX
from mmdpt.datasets.transforms.loading import MEDIAN_SAMPLES, LoadDepth, read_image
from mmdpt.errors import InputError

LOADERS = (MMCVLoadImageFromFile, MMCVLoadAnnotations, LoadDepth)


class Trouble(NamedTuple):
    """A fault that would stop a run: its kind, and a text that names file, value or key."""

    kind: str
    text: str


@dataclass
class Reading:
    """Content of one sample's files.

    ``size`` is the image's (width, height) [px]. ``labels`` counts the pixels of each label value
    after the loader's mapping, (256,); ``file_values`` those of each value in the file, which
    ``file_map`` replaces. ``depth_values`` are some of the valid depths [m], including the least
    and the greatest; ``depth_in_metres`` is false if the loader expects no unit.
    """

    path: str
    size: tuple[int, int] | None = None
    labels: np.ndarray | None = None
    file_values: Counter[int] = field(default_factory=Counter)
    file_map: Mapping[int, int] = field(default_factory=dict)
    depth_values: np.ndarray | None = None
    depth_share: float = 0.0
    depth_in_metres: bool = True
    troubles: list[Trouble] = field(default_factory=list)


def _hide_size(step: Any, results: dict) -> None:
    if results.get('depth_encoding') != 'raw_float32':  # without a header, read by this size
        results.pop('ori_shape', None)


# Checks in the loaders' order, and how to switch each off.
_RELAXATIONS: tuple[tuple[str, Callable[[Any, dict], object]], ...] = (
    ('size', _hide_size),
    ('label values', lambda step, results: results.update(num_classes=None)),
    ('no valid pixel', lambda step, results: vars(step).update(allow_empty=True)),
    ('unit', lambda step, results: vars(step).update(median_range=None)),
)


def message(error: Exception) -> str:
    """Text of an error that is the same each time it is raised."""
    text = str(error) if isinstance(error, InputError) else f'{type(error).__name__}: {error}'
    return re.sub(r' object at 0x[0-9a-f]+', ' object', text)  # Pillow names its BytesIO


def read_files(dataset: BaseDataset, index: int) -> Reading:
    """Read image, labels and depth of an entry as the pipeline's loading steps do."""
    results = dataset.get_data_info(index)
    if results.get('num_classes') is None and dataset.metainfo.get('classes'):
        results['num_classes'] = len(dataset.metainfo['classes'])
    reading = Reading(results['img_path'])
    for step in dataset.pipeline.transforms:
        if isinstance(step, LOADERS):
            loaded, troubles = _load(step, results)
            reading.troubles += troubles
            _describe(step, loaded, troubles, reading)
            if isinstance(step, MMCVLoadAnnotations):
                reading.file_values = _count_values(step, results)
                reading.file_map = results.get('file_map') or {}
            if 'ori_shape' in loaded:
                results['ori_shape'] = loaded['ori_shape']
    return reading


def _load(step: Any, results: dict) -> tuple[dict, list[Trouble]]:
    """Run a loading step; if one of its checks fails, note that and run it without the check."""
    troubles = []
    loaded, error = _attempt(step, results)
    step, results = copy.copy(step), dict(results)
    for kind, relax in _RELAXATIONS:
        if error is None:
            break
        relax(step, results)
        loaded, next_error = _attempt(step, results)
        if next_error != error:
            troubles.append(Trouble(kind, error))
        error = next_error
    if error is not None:
        troubles.append(Trouble('reading', error))
    return loaded, troubles


def _attempt(step: Any, results: dict) -> tuple[dict, str | None]:
    """Result of a step on a copy of the results, or an empty one and the error."""
    try:
        loaded = step({**results, 'seg_fields': list(results.get('seg_fields', ()))})
    except InputError as error:
        return {}, message(error)
    except Exception as error:
        return {}, f'{results["img_path"]}: {type(step).__name__} raises {message(error)}'
    if loaded is None:  # mmcv's way of leaving a sample out
        return {}, f'{results["img_path"]}: {type(step).__name__} leaves it out'
    return loaded, None


def _count_values(step: Any, results: dict) -> Counter[int]:
    """Count the pixels of each value in a label file; none if it cannot be read."""
    try:
        label = read_image('label', results['seg_map_path'], 'unchanged', step)
    except (InputError, KeyError, TypeError):
        return Counter()
    values, counts = np.unique(label, return_counts=True)
    return Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))


def _describe(step: Any, loaded: dict, troubles: list[Trouble], reading: Reading) -> None:
    if 'img' in loaded:
        height, width = loaded['ori_shape'][:2]
        reading.size = width, height
    if 'gt_seg_map' in loaded:
        labels = loaded['gt_seg_map']
        if 'label values' not in [kind for kind, _ in troubles]:  # 16-bit ones are wrapped there
            reading.labels = np.bincount(labels.ravel(), minlength=256)
        if not troubles and (labels == IGNORE_INDEX).all():
            text = f'label {loaded["seg_map_path"]} is ignored everywhere'
            reading.troubles.append(Trouble('no valid pixel', text))
    if 'gt_depth_map' in loaded:
        depth = loaded['gt_depth_map']
        valid = depth[np.isfinite(depth)]
        ends = [valid.min(), valid.max()] if valid.size else []
        reading.depth_values = np.append(valid[:: 1 + valid.size // MEDIAN_SAMPLES], ends)
        reading.depth_share = valid.size / depth.size
        reading.depth_in_metres = getattr(step, 'median_range', None) is not None
