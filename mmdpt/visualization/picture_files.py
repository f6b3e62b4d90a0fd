"""Write pictures."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmdpt.errors import InputError
from mmdpt.files.atomic import atomic_path


@contextmanager
def picture_path(out: str | Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Yield a temporary path that becomes ``out`` once the picture is whole, see ``atomic_path``.

    Its folder is made.

    Raises:
        InputError: If the suffix is not among those given, or the picture cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() not in suffixes:
        raise InputError(f'cannot write {out}: pictures end in {", ".join(sorted(suffixes))}')
    with atomic_path(out, parents=True) as unfinished:
        yield unfinished
