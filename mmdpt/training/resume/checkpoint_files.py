"""Checkpoint files that are whole under their name, and the newest of them.

A file is written under a hidden name, brought to the disk (fsync) and renamed; ``last_checkpoint``
moves last.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch

from mmdpt.checkpoints.reading.checksums import damage
from mmdpt.errors import InputError
from mmdpt.files.atomic import atomic_path

POINTER = 'last_checkpoint'
"""File in the work dir with the path of the newest checkpoint, MMEngine's name."""
UNFINISHED = '.mmdpt-*'


class Newest(NamedTuple):
    """The newest whole checkpoint, None where there is none, and what is wrong with newer ones."""

    path: Path | None
    left_out: list[str]


def is_local(folder: str | Path) -> bool:
    """Tell a folder of this machine from an address, which MMEngine's backends write."""
    return '://' not in str(folder)


def make_folder(folder: str | Path) -> None:
    """Make a folder for files of a run, or find out before the run that nobody can write there.

    Raises:
        InputError: For any OSError.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(folder)) as file:
            file.write(b'.')
    except OSError as error:
        raise InputError(f'cannot write into {folder}: {error.strerror or error}') from error


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint that is whole and on the disk under its name, or not there at all.

    Raises:
        InputError: For any OSError, such as a full disk; an older file of that name stays.
    """
    with durable_file(path) as file:
        noted = _NotedFile(file)
        try:
            torch.save(checkpoint, noted)  # type: ignore[arg-type]
        except RuntimeError:
            if noted.error is not None:  # torch hides it behind "unexpected pos"
                raise noted.error from None
            raise


def point_at(path: Path, work_dir: Path) -> None:
    """Let ``last_checkpoint`` of a work dir name a checkpoint, all at once.

    Raises:
        InputError: For any OSError.
    """
    with durable_file(work_dir / POINTER) as file:
        file.write(str(path).encode())


@contextmanager
def durable_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write; at the end it is on the disk and takes its name, see ``atomic_path``.

    Raises:
        InputError: For any OSError.
    """
    with atomic_path(path) as unfinished, unfinished.open('wb') as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def newest_whole(work_dir: Path, folder: Path, template: str) -> Newest:
    """Find the checkpoint to resume.

    It is the one that ``last_checkpoint`` names or, where a kill came before that moved, a later
    one that was written after it; where these are damaged, the next older. An older run's in the
    same folder is passed over.

    Args:
        work_dir: Where ``last_checkpoint`` is.
        folder: Where the checkpoints are.
        template: Their name with ``{}`` for the step, such as 'iter_{}.pth'.
    """
    left_out: list[str] = []
    for path in _newest_first(work_dir, folder, template):
        fault = damage(path)
        if fault is None:
            return Newest(path, left_out)
        left_out.append(f'{path.name}: {fault}')
    return Newest(None, left_out)


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left half-written."""
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
    """Bring a rename to the disk; some network file systems cannot."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class _NotedFile:
    """A file that keeps the error of a write."""

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
