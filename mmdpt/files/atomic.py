"""Files that are whole under their name, or not there."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmdpt.errors import InputError


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a name in the same folder to write to; the file takes its own name at the end.

    Until then an older file of that name stays as it is. Whatever ends the block early, the
    unfinished file is removed.

    Args:
        path: Where the file shall be; its folder exists.

    Yields:
        Path of no file yet, hidden, with the same suffix, which tells some writers the format.

    Raises:
        InputError: For any OSError, such as no permission or a full disk; naming the path.
    """
    path = Path(path)
    # The stem is left out: with an addition it could become longer than a name may be.
    unfinished = path.with_name(f'.mmdpt-{secrets.token_hex(8)}{path.suffix}')
    try:
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        raise InputError(f'cannot write {path}: {error.strerror or error}') from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Write a file's bytes, see ``atomic_path``."""
    with atomic_path(path) as unfinished:
        unfinished.write_bytes(data)
