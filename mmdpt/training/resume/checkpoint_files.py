"""Write checkpoint files that are never half-written under their name, and find the newest.

A file is written under a hidden name, flushed to the disk (fsync) and renamed. ``last_checkpoint``
is updated last.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch

from mmdpt.checkpoints.reading.checksums import damage
from mmdpt.checkpoints.reading.reader import unpickle
from mmdpt.files.atomic import atomic_path

POINTER = 'last_checkpoint'
"""File in the work dir with the path of the newest checkpoint, MMEngine's name."""
UNFINISHED = '.mmdpt-*'


class Newest(NamedTuple):
    """The newest intact checkpoint, or None, and what is wrong with the newer ones."""

    path: Path | None
    left_out: list[str]


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint. Under its name it is complete and on the disk.

    Raises:
        InputError: For any OSError, such as a full disk. An older file of that name remains.
    """
    with durable_file(path) as file:
        noted = _NotedFile(file)
        try:
            torch.save(checkpoint, noted)  # type: ignore[arg-type]
        except RuntimeError:
            if noted.error is not None:  # torch hides it behind "unexpected pos"
                raise noted.error from None
            raise


def publish(path: Path, keys: Any) -> Path:
    """Write some keys of a checkpoint beside it, into a file named by its checksum.

    Raises:
        InputError: For any OSError, or if the checkpoint cannot be read.
    """
    kept = {key: part for key, part in unpickle(path).items() if key in keys}
    unnamed = path.with_name(f'{path.stem}-published.pth')
    write_checkpoint(kept, unnamed)
    digest = hashlib.sha256()
    with unnamed.open('rb') as file:
        for chunk in iter(lambda: file.read(1 << 20), b''):
            digest.update(chunk)
    return unnamed.rename(path.with_name(f'{path.stem}-{digest.hexdigest()[:8]}.pth'))


def point_at(path: Path, work_dir: Path) -> None:
    """Make ``last_checkpoint`` of a work dir name a checkpoint.

    Raises:
        InputError: For any OSError.
    """
    with durable_file(work_dir / POINTER) as file:
        file.write(str(path).encode())


@contextmanager
def durable_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write. At the end it is flushed to the disk and takes its name.

    Raises:
        InputError: For any OSError.
    """
    with atomic_path(path) as unfinished, unfinished.open('wb') as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def newest_whole(work_dir: Path, folder: Path, template: str) -> Newest:
    """Find the checkpoint to resume, with a name such as the template 'iter_{}.pth'.

    This is the one that ``last_checkpoint`` of the work dir names, or a later one that was written
    after it (a kill may come between the two). Damaged ones are skipped in favour of the next
    older. Checkpoints that an older run left in the same folder are ignored.
    """
    left_out: list[str] = []
    for path in _newest_first(work_dir, folder, template):
        fault = damage(path)
        if fault is None:
            return Newest(path, left_out)
        left_out.append(f'{path.name}: {fault}')
    return Newest(None, left_out)


def remove_unfinished(folder: Path) -> None:
    """Remove half-written files that a killed process left."""
    for path in folder.glob(UNFINISHED):
        with suppress(OSError):
            path.unlink()


def _newest_first(work_dir: Path, folder: Path, template: str) -> list[Path]:
    name = re.compile(re.escape(template).replace(re.escape('{}'), r'(\d+)'))
    steps: dict[int, Path] = {}
    if folder.is_dir():
        for path in folder.iterdir():
            if (found := name.fullmatch(path.name)) and path.is_file():
                steps[int(found[1])] = path
    pointed = name.fullmatch(Path(_read_pointer(work_dir)).name)
    last = int(pointed[1]) if pointed else None
    newest = sorted(steps, reverse=True)
    if last in steps:
        written = steps[last].stat().st_mtime_ns
        newest = [s for s in newest if s <= last or steps[s].stat().st_mtime_ns >= written]
    return [steps[step] for step in newest]


def _read_pointer(work_dir: Path) -> str:
    try:
        return (work_dir / POINTER).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ''


def _sync_folder(folder: Path) -> None:
    """Flush a rename to the disk. Some network file systems cannot."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class _NotedFile:
    """A file that remembers why a write failed."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()
