"""Refuse a checkpoint that expands to much more than its file: it would fill the memory."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmdpt.errors import InputError

from .recorded import Recorded

GREATEST_EXPANSION = 4
"""Bytes of tensors, or objects, per byte of the file. Tensors that share memory all count."""
ALWAYS_ALLOWED = 1 << 20
"""Bytes, or objects, that any file may expand to."""
ZIP_MAGIC = b'PK'
CONTAINERS = (Tensor, Mapping, list, tuple, set, Recorded)


def check_archive(path: Path) -> None:
    """Check that an archive's records are no larger than its file, before any is read.

    torch.save compresses nothing. torch.load would decompress a record or, when it maps the file,
    take compressed bytes for numbers.

    Raises:
        InputError: If a record is compressed or records overlap. It names the sizes.
    """
    with path.open('rb') as file:
        if file.read(len(ZIP_MAGIC)) != ZIP_MAGIC:
            return
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except Exception as error:  # zipfile raises whatever changed bytes make go wrong
        raise InputError(f'{path} cannot be read: its archive is damaged ({error})') from error
    compressed = [record for record in records if record.compress_type]
    size, expanded = path.stat().st_size, sum(record.file_size for record in records)
    if compressed or expanded > size:
        what = 'records overlap'
        if compressed:
            largest = max(compressed, key=lambda record: record.file_size)
            what = f'record {largest.filename} is compressed'
        raise InputError(
            f'{path}: {what}, {size} bytes would become {expanded}, which torch.save does not do; '
            'where you trust the file, unpack it and zip it again without compression'
        )


def check_contents(path: Path, loaded: Any) -> None:
    """Check that what was unpickled is no larger than its file.

    A tensor of stride 0 makes any number of elements out of one. A list that holds a list twice,
    which holds a list twice, and so on, has 2^n elements. A copy would write them all.

    Raises:
        InputError: If a tensor is sparse, quantised, nested or without memory, or a container
            holds itself; if the tensors' bytes or the number of objects are more than
            ``GREATEST_EXPANSION`` times the file.
    """
    tensors: dict[int, int] = {}
    sizes: dict[int, int] = {}
    entered: set[int] = set()
    waiting = [loaded]
    while waiting:
        value = waiting[-1]
        parts = _parts(value)
        if isinstance(value, Tensor):
            tensors[id(value)] = _bytes_of(path, value)
        elif isinstance(value, Recorded):
            tensors[id(value)] = len(value.raw)
        new = [part for part in parts if isinstance(part, CONTAINERS) and id(part) not in sizes]
        if new and id(value) not in entered:
            entered.add(id(value))
            waiting += new
        elif new:
            raise InputError(f'{path} holds a {type(value).__name__} that holds itself')
        else:
            sizes[id(value)] = 1 + sum(sizes.get(id(part), 1) for part in parts)
            waiting.pop()
    _compare(path, sum(tensors.values()), 'its tensors are')
    _compare(path, sizes[id(loaded)], 'the objects in it are')


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, Recorded):
        return [value.args, value.state]
    return list(value) if isinstance(value, (list, tuple, set)) else []


def _bytes_of(path: Path, tensor: Tensor) -> int:
    plain = tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_nested
    if not plain or tensor.device.type != 'cpu':
        kind = 'quantised' if tensor.is_quantized else str(tensor.layout).removeprefix('torch.')
        raise InputError(
            f'{path} holds a tensor that is not plain memory ({kind}, {tensor.device.type})'
        )
    return tensor.numel() * tensor.element_size()


def _compare(path: Path, expanded: int, what: str) -> None:
    size = path.stat().st_size
    limit = max(ALWAYS_ALLOWED, GREATEST_EXPANSION * size)
    if expanded > limit:
        raise InputError(
            f'{path} has {size} bytes, but {what} {expanded}, more than the {limit} '
            f'({GREATEST_EXPANSION} times the file) that are read; of a file that you trust, save '
            'clones of its tensors'
        )
