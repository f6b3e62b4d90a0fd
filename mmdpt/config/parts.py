"""Walk the parts of a config: all of them, or data sets and those that they wrap or join."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmdpt.registry import DATASETS


def parts_of(node: Any) -> Iterator[Any]:
    """Give a tree of dicts and lists, and all parts of it."""
    yield node
    if isinstance(node, (Mapping, list, tuple)):
        for child in node.values() if isinstance(node, Mapping) else node:
            yield from parts_of(child)


def nested_datasets(path: str, dataset: Any) -> Iterator[tuple[str, Any]]:
    """Give the config of a data set, and of those that it repeats or joins, each with its path."""
    if not isinstance(dataset, Mapping):
        return
    yield path, dataset
    yield from nested_datasets(f'{path}.dataset', dataset.get('dataset'))
    for index, part in enumerate(dataset.get('datasets') or ()):
        yield from nested_datasets(f'{path}.datasets[{index}]', part)


def metainfo_of(dataset: Mapping) -> dict[str, Any]:
    """Give what a data set's class and config say about its classes."""
    kind = dataset.get('type')
    cls = DATASETS.get(kind) if isinstance(kind, str) else kind
    return {**getattr(cls, 'METAINFO', {}), **(dataset.get('metainfo') or {})}


def replace_pipelines(dataset: dict, pipeline: list) -> None:
    """Give a data set, or those that it joins or repeats, another pipeline."""
    for _, part in nested_datasets('', dataset):
        if not (part.get('dataset') or part.get('datasets')):
            part['pipeline'] = pipeline
