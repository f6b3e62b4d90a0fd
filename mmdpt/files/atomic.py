"""Write files atomically: a file is complete under its name, or absent."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmdpt.errors import InputError


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path in the same folder; it is renamed at the end of the block.

    Until then an older file of that name stays. If the block ends early, what lies under the
    temporary path is removed.

    Args:
        path: Path of the file, or of a folder that is not there yet; the folder above exists.

    Yields:
        Hidden path without a file, with the same suffix, which tells some writers the format.

    Raises:
        InputError: For any OSError, such as no permission or a full disk; names the path.
    """
    path = Path(path)
    # without the stem, which an addition could make longer than a name may be
    unfinished = path.with_name(f'.mmdpt-{secrets.token_hex(8)}{path.suffix}')
    try:
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        raise InputError(f'cannot write {path}: {error.strerror or error}') from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Write the bytes of a file atomically, see ``atomic_path``."""
    with atomic_path(path) as unfinished:
        unfinished.write_bytes(data)
