"""Copy some tensors out of a mapped file, without memory for the others.

Pages of a mapping that were read count as this process's memory until the mapping ends. A tensor
that stays in a mapping changes when the file changes, and ends the process when the file shrinks.
"""

import zipfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from torch import Tensor

PARTS = 4
"""How often a file is mapped. The peak of the memory is the tensors and one such part."""
LEAST_PART = 64 << 20
"""Bytes that are copied at once at least."""


def copy_tensors(
    names: Sequence[str],
    size: int,
    opened: Callable[[], AbstractContextManager[Callable[[str], Tensor]]],
) -> dict[str, Tensor]:
    """Copy tensors, ``size`` bytes in all, mapping the file anew for every part of them.

    ``opened`` maps the file, and gives a function from a name to a tensor in the mapping.
    """
    part = max(size // PARTS + 1, LEAST_PART)
    tensors: dict[str, Tensor] = {}
    while len(tensors) < len(names):
        copied = 0
        with opened() as tensor_of:
            while copied < part and len(tensors) < len(names):
                name = names[len(tensors)]
                tensors[name] = tensor_of(name).clone()
                copied += tensors[name].nbytes
    return tensors


def has_optimizer(path: Path) -> bool:
    """Whether a training wrote a file, with an optimiser beside the model, and it can be mapped.

    That is an archive of torch.save that names an optimiser. An archive that was compressed later
    cannot be mapped, and is not unpacked to find out.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            stored = all(record.compress_type == zipfile.ZIP_STORED for record in records)
            return stored and any(
                record.filename.endswith('/data.pkl') and b'optimizer' in archive.read(record)
                for record in records
            )
    except Exception:  # no archive, or a damaged one: the reader will say what is wrong
        return False
