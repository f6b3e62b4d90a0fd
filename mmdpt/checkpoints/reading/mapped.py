"""Copy some tensors out of a mapped file, so that no more than they takes memory.

Pages of a mapping that were read count as this process's until it ends, and a tensor left in a
mapping changes, or ends the process, when the file does.
"""

import zipfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from torch import Tensor

PARTS = 4
"""Times that a file is mapped; the greatest memory is that of the tensors and of one part."""
LEAST_PART = 64 << 20
"""Bytes that are copied at once, of small files."""


def copy_tensors(
    names: Sequence[str],
    size: int,
    opened: Callable[[], AbstractContextManager[Callable[[str], Tensor]]],
) -> dict[str, Tensor]:
    """Copy tensors, mapping the file anew for every part of them.

    Args:
        names: Of the tensors.
        size: Of all of them [bytes].
        opened: Maps the file; gives a function from a name to a tensor in the mapping.
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
    """Whether a file is of a training, with tensors beside the model's, and can be mapped.

    An archive of torch.save that names an optimiser; one that was packed again, compressed, cannot
    be mapped and is not unpacked to find out.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            stored = all(record.compress_type == zipfile.ZIP_STORED for record in records)
            return stored and any(
                record.filename.endswith('/data.pkl') and b'optimizer' in archive.read(record)
                for record in records
            )
    except Exception:  # no archive, or a damaged one: who reads it says what is wrong
        return False
