"""Check every split of a config: its listing, a spread sample of its files, its pipeline."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from mmengine.dataset import BaseDataset

from mmdpt.datasets.label_values import IGNORE_INDEX
from mmdpt.errors import InputError
from mmdpt.registry import DATASETS

from .label_guess import guess_values
from .sample_files import Reading, Trouble, message, read_files

SPLITS = ('train', 'val', 'test')
PIPELINE_SAMPLES = 4
TARGETS = {'seg_map_path': 'labels', 'depth_map_path': 'depth'}


class Entry(NamedTuple):
    """A listed sample: its position in the whole data set and in the one that lists it."""

    position: int
    dataset: BaseDataset
    dataset_index: int


@dataclass
class SplitReport:
    """Findings in one split.

    ``num_samples`` counts repetitions, ``num_entries`` distinct entries. ``pairs`` counts the
    entries with 'labels', 'depth' or 'no target'. ``left_out`` are files beside the images.
    ``advice`` is what wrong label values may mean.
    ``samples`` are a few outputs of the complete
    pipeline with their image's path; ``image_paths`` are the images of all entries.
    """

    name: str
    num_samples: int = 0
    num_entries: int = 0
    pairs: dict[str, int] = field(default_factory=dict)
    shared_targets: int = 0
    left_out: list[str] = field(default_factory=list)
    advice: str | None = None
    metainfo: Mapping[str, Any] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    samples: list[tuple[str, dict]] = field(default_factory=list)
    image_paths: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


def check_splits(
    cfg: Mapping, names: Sequence[str] = SPLITS, num_samples: int = 50
) -> list[SplitReport]:
    """Check the data sets of a config whose default scope is set; identical ones once.

    Of each named split that the config has, some entries are read, evenly spaced, including first
    and last.

    Raises:
        InputError: If the config has none of the splits, or ``num_samples`` is not positive.
    """
    if num_samples < 1:
        raise InputError(f'samples must be at least 1, got {num_samples}')
    configs: list[tuple[list[str], Mapping]] = []
    for name in names:
        dataset = (cfg.get(f'{name}_dataloader') or {}).get('dataset')
        if dataset is None:
            continue
        for same, other in configs:
            if dataset == other and 'train' not in (name, *same):  # that would hide a leak
                same.append(name)
                break
        else:
            configs.append(([name], dataset))
    if not configs:
        raise InputError(f'the config has no data set for {", ".join(names)}')
    reports = [_check_split(' = '.join(same), config, num_samples) for same, config in configs]
    for (names, _), report in zip(configs, reports, strict=True):
        batch = max((cfg[f'{n}_dataloader'].get('batch_size') or 1) for n in names)
        sizes = sorted({tuple(sample['inputs'].shape[1:]) for _, sample in report.samples})
        if batch > 1 and len(sizes) > 1 and 'train' not in names:  # which pads
            text = f'images of {sizes[0]} and {sizes[1]} px are no batch: set batch_size=1'
            report.troubles.append(Trouble('batch', text))
    _find_leaks(reports)
    return reports


def entries(dataset: Any, start: int = 0) -> list[Entry]:
    """List the distinct entries below wrappers that concatenate or repeat data sets.

    Raises:
        InputError: If a data set below is not MMEngine's.
    """
    if hasattr(dataset, 'datasets'):
        found = []
        for part in dataset.datasets:
            found += entries(part, start)
            start += len(part)
        return found
    if hasattr(dataset, 'dataset'):
        return entries(dataset.dataset, start)
    if not isinstance(dataset, BaseDataset):
        raise InputError(f'{type(dataset).__name__} is no BaseDataset of MMEngine: cannot check it')
    return [Entry(start + index, dataset, index) for index in range(len(dataset))]


def spread(length: int, number: int) -> list[int]:
    """Choose up to ``number`` of ``length`` indices, evenly spaced, first and last included."""
    return np.unique(np.linspace(0, length - 1, min(number, length)).round().astype(int)).tolist()


def _check_split(name: str, config: Mapping, num_samples: int) -> SplitReport:
    report = SplitReport(name)
    try:
        dataset = DATASETS.build(config)
        listed = entries(dataset)
    except InputError as error:
        report.troubles.append(Trouble('listing', str(error)))
        return report
    if not listed:
        report.troubles.append(Trouble('listing', f'the data set of {name} is empty'))
        return report
    report.num_samples, report.num_entries = len(dataset), len(listed)
    report.metainfo = dataset.metainfo
    _look_at_pairs(listed, report)
    for k in spread(len(listed), num_samples):
        report.readings.append(read_files(listed[k].dataset, listed[k].dataset_index))
        report.troubles += report.readings[-1].troubles
    _look_at_values(report)
    for k in spread(len(listed), PIPELINE_SAMPLES):
        _run_pipeline(dataset, listed[k].position, report.image_paths[k], report)
    return report


def _look_at_pairs(listed: Sequence[Entry], report: SplitReport) -> None:
    """Note the images of all entries, their targets, and targets of several images."""
    images: dict[str, set[str]] = defaultdict(set)
    pairs: dict[str, int] = defaultdict(int)
    for entry in listed:
        info = entry.dataset.get_data_info(entry.dataset_index)
        report.image_paths.append(info['img_path'])
        for key, what in TARGETS.items():
            if info.get(key):
                pairs[what] += 1
                images[info[key]].add(info['img_path'])
        if not any(info.get(key) for key in TARGETS):
            pairs['no target'] += 1
            if report.name == 'train':
                text = f'{info["img_path"]} has neither labels nor depth to train on'
                report.troubles.append(Trouble('no target', text))
    datasets = {id(entry.dataset): entry.dataset for entry in listed}.values()
    report.left_out = [path for part in datasets for path in getattr(part, 'left_out', ())]
    report.pairs = dict(pairs)
    report.shared_targets = sum(len(paths) > 1 for paths in images.values())


def _look_at_values(report: SplitReport) -> None:
    """Compare the values in all label files read, which one file does not tell."""
    values = sorted(
        {
            reading.file_map.get(value, value)
            for reading in report.readings
            for value in reading.file_values
            if reading.file_map.get(value) != IGNORE_INDEX
        }
    )
    meta = report.metainfo
    if meta.get('classes'):
        text = guess_values(values, meta['classes'], bool(meta.get('reduce_zero_label')))
        if text is not None and any(trouble.kind == 'label values' for trouble in report.troubles):
            report.advice = text
        elif text is not None:
            report.troubles.append(Trouble('values in the files', text))


def _run_pipeline(dataset: Any, position: int, path: str, report: SplitReport) -> None:
    """Take a sample as the data loader does; do not repeat a trouble found in its files."""
    try:
        sample = dataset[position]
    except Exception as error:
        text = message(error)
        if not any(text == trouble.text for trouble in report.troubles):
            report.troubles.append(Trouble('pipeline', f'{path}: {text}'))
        return
    if isinstance(sample, Mapping) and {'inputs', 'data_samples'} <= set(sample):
        report.samples.append((path, dict(sample)))
    else:
        text = f'{path}: no inputs and data_samples: is PackSegInputs or PackDepthInputs the last?'
        report.troubles.append(Trouble('pipeline', text))


def _find_leaks(reports: Sequence[SplitReport]) -> None:
    """Find images of the training split in the others, following links."""
    train = next((report for report in reports if report.name == 'train'), None)
    if train is None:
        return
    seen = {os.path.realpath(path) for path in train.image_paths}
    for report in reports:
        if report is not train:
            for path in dict.fromkeys(report.image_paths):
                if os.path.realpath(path) in seen:
                    text = f'{path} is in train too'
                    report.troubles.append(Trouble('leak', text))
