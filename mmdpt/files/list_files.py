"""Text that names files or holds numbers, such as the list of a split."""

from pathlib import Path

from mmdpt.errors import InputError


def read_text(path: str | Path, encoding: str = 'utf-8') -> str:
    """Read a text file, its line ends as they are.

    Raises:
        InputError: If it is no text of this encoding.
        OSError: If it cannot be opened.
    """
    try:
        return Path(path).read_bytes().decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f'{path} is no text: {error}') from error
