"""Compare the numbers of classes in a config before anything is built."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.logging import print_log

from mmdpt.errors import InputError

from .parts import metainfo_of, nested_datasets

MOST_CLASSES = 255


def check_classes(cfg: Mapping) -> None:
    """Compare the classes of every data set with those of every head, and with one another.

    A head with more classes than the data, and other names than the first data set's, are warnings.

    Raises:
        InputError: If a head has fewer classes than the data, the data more than labels hold, or
            the palette another number of colours.
    """
    datasets = [
        found
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
        for found in _datasets(f'{loader}.dataset', (cfg.get(loader) or {}).get('dataset'))
    ]
    warnings: dict[tuple, str] = {}
    for path, names, palette in datasets:
        if len(names) > MOST_CLASSES:
            raise InputError(
                f'{path} has {len(names)} classes: at most {MOST_CLASSES}, since labels are 8-bit '
                f'and {MOST_CLASSES} is ignored'
            )
        for head, number in _heads('model', cfg.get('model')):
            text = f'{head}.num_classes is {number}, but {path} has {len(names)} classes'
            if number < len(names):
                raise InputError(text)
            if number > len(names):
                warnings.setdefault((head, len(names)), text)
        if palette and len(palette) != len(names):
            raise InputError(
                f'{path}.metainfo.palette has {len(palette)} colours for {len(names)} classes'
            )
        first_path, first, _ = datasets[0]
        if len(names) == len(first) and list(names) != list(first):
            warnings[path,] = f'the classes of {path} have other names than those of {first_path}'
    for text in warnings.values():
        print_log(text, logger='current', level=logging.WARNING)


def _heads(path: str, model: Any) -> Iterator[tuple[str, int]]:
    if isinstance(model, (list, tuple)):
        for index, part in enumerate(model):
            yield from _heads(f'{path}[{index}]', part)
    elif isinstance(model, Mapping):
        if isinstance(model.get('num_classes'), int):
            yield path, model['num_classes']
        for key in ('module', 'decode_head', 'auxiliary_head'):
            yield from _heads(f'{path}.{key}', model.get(key))


def _datasets(path: str, dataset: Any) -> Iterator[tuple[str, Sequence[str], Any]]:
    """Give classes and palette of a data set, or of those that it joins or repeats."""
    for name, part in nested_datasets(path, dataset):
        metainfo = metainfo_of(part)
        if isinstance(classes := metainfo.get('classes'), (list, tuple)):
            yield name, classes, metainfo.get('palette')
