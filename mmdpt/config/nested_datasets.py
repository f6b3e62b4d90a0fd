"""Data sets of a config that wrap or join others."""

from collections.abc import Iterator, Mapping
from typing import Any


def nested_datasets(path: str, dataset: Any) -> Iterator[tuple[str, Any]]:
    """Give the config of a data set, and of those that it repeats or joins, each with its path."""
    if not isinstance(dataset, Mapping):
        return
    yield path, dataset
    yield from nested_datasets(f'{path}.dataset', dataset.get('dataset'))
    for index, part in enumerate(dataset.get('datasets') or ()):
        yield from nested_datasets(f'{path}.datasets[{index}]', part)


def replace_pipelines(dataset: dict, pipeline: list) -> None:
    """Give a data set, or those that it joins or repeats, another pipeline."""
    for _, part in nested_datasets('', dataset):
        if not (part.get('dataset') or part.get('datasets')):
            part['pipeline'] = pipeline
