"""Check paths: that files exist, and that listed names stay inside their folder."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mmdpt.errors import InputError

MAX_NAMED = 20


def is_address(path: str | os.PathLike) -> bool:
    """Tell an address, such as 's3://bucket/file', from a local path."""
    return '://' in str(path)


def check_exists(path: str | os.PathLike, what: str, hint: str = '') -> Path:
    """Return the path of a file or folder, which the message calls ``what``; it gives the hint.

    Raises:
        InputError: If nothing is there.
    """
    if not Path(path).exists():
        raise InputError(f'{what} {path} does not exist{hint and "; "}{hint}')
    return Path(path)


def check_file(path: str | os.PathLike, what: str, hint: str = '') -> Path:
    """Return the path of a file, such as an 'image', 'video', 'config' or 'checkpoint'.

    Raises:
        InputError: If there is none, or a folder of that name.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path} is a folder' if path.is_dir() else f'no {what} file {path}{hint}')
    return path


def make_folder(folder: str | os.PathLike) -> None:
    """Make a folder, with those above it, and try to write a file in it.

    Raises:
        InputError: For any OSError.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(folder)) as file:
            file.write(bytes(4096))
            file.flush()
    except FileExistsError as error:
        raise InputError(f'{folder} is a file, not a folder to write in') from error
    except OSError as error:
        raise InputError(f'cannot write into {folder}: {error.strerror or error}') from error


def missing_files(paths: Iterable[str]) -> set[str]:
    """Return the local paths without a file; each folder is listed once."""
    listings: dict[str, set[str]] = {}
    missing = set()
    for path in paths:
        if is_address(path):
            continue
        folder, name = os.path.split(path)
        if folder not in listings:
            listings[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in listings[folder]:
            missing.add(path)
    return missing


def path_below(folder: str | None, name: str) -> str:
    """Join a listed name to its folder. An absolute name must lie inside the folder.

    Raises:
        InputError: If the name leads out of the folder, is an address, or cannot be a file's.
    """
    if '\0' in name:
        raise InputError(f'path {name!r} is no name of a file')
    relative = os.path.relpath(name, folder or os.curdir) if os.path.isabs(name) else name
    inside = os.path.normpath(relative)
    if is_address(name) or inside.split(os.sep)[0] == os.pardir:
        raise InputError(f'path {name!r} leads out of {folder or os.curdir}')
    return os.path.join(folder or '', inside)


def check_stays_inside(path: Path, root: Path) -> Path:
    """Return a path to write; an unpacked archive may hold links.

    Raises:
        InputError: If a link leads out of the root.
    """
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise InputError(f'{path} would be written outside of {root}: a link leads there')
    return path


def name_some(names: list[str]) -> str:
    """Write the first 20 names, one a line, and how many more there are."""
    more = f'\n  and {len(names) - MAX_NAMED} more' if len(names) > MAX_NAMED else ''
    return '\n  ' + '\n  '.join(names[:MAX_NAMED]) + more
