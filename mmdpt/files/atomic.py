"""Write files atomically: a file is complete under its name, or absent."""

import io
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from mmdpt.errors import InputError


@contextmanager
def atomic_path(path: str | os.PathLike, parents: bool = False) -> Iterator[Path]:
    """Give a temporary path in the same folder; it is renamed at the end of the block.

    Until then an older file of that name stays. If the block ends early, what lies under the
    temporary path is removed: a file, or a folder where there was none. The path is hidden and has
    the same suffix, which tells some writers the format. ``parents`` makes the folders above.

    Raises:
        InputError: For any OSError, such as no permission or a full disk; names the path.
    """
    path = Path(path)
    # without the stem, which an addition could make longer than a name may be
    unfinished = path.with_name(f'.mmdpt-{secrets.token_hex(8)}{path.suffix}')
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        raise InputError(f'cannot write {path}: {error.strerror or error}') from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike, data: bytes, parents: bool = False) -> None:
    """Write the bytes of a file atomically, see ``atomic_path``."""
    with atomic_path(path, parents) as unfinished:
        unfinished.write_bytes(data)


def write_npy(path: str | os.PathLike, values: np.ndarray, parents: bool = False) -> None:
    """Write an array as NPY atomically, see ``atomic_path``."""
    buffer = io.BytesIO()  # into a file, NumPy does not say why it cannot write
    np.lib.format.write_array(buffer, values, allow_pickle=False)
    write_atomically(path, buffer.getvalue(), parents)
