"""Checkpoint files that are whole under their name, and the newest of them.

A file is written under a hidden name, brought to the disk (fsync) and renamed; ``last_checkpoint``
moves last. Whether a file is whole is told by the CRC-32 that torch.save gives every record of its
zip archive, and that torch.load does not check
(pytorch/pytorch third_party/miniz, MINIZ_DISABLE_ZIP_READER_CRC32_CHECKS).
"""

import os
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch

from mmdpt.atomic import atomic_path
from mmdpt.checkpoints.expansion import check_archive
from mmdpt.errors import InputError

POINTER = 'last_checkpoint'
"""File in the work dir with the path of the newest checkpoint, MMEngine's name."""
UNFINISHED = '.mmdpt-*'
ZIP_MAGIC = b'PK'
DOS_FOLDER = 0x10
CHUNK = 1 << 20
DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What zipfile raises for one file or another of changed bytes."""


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


def damage(path: Path) -> str | None:
    """Say what is wrong with a checkpoint's file, None for a whole one.

    A changed byte that torch would read and a file that ends early are found; archives written
    without checksums (``torch.serialization.set_crc32_options(False)``) are only found torn.
    """
    try:
        if not _is_archive(path):
            return 'it is no zip archive of torch.save'
        check_archive(path)
        torch._C.PyTorchFileReader(str(path))  # its index is read more strictly than by zipfile
        with zipfile.ZipFile(path) as archive:
            if not any(record.CRC for record in archive.infolist()):
                return None
            for record in archive.infolist():
                if record.external_attr & DOS_FOLDER:  # torch would read nothing, and not say so
                    return f'record {record.filename} is marked as a folder'
                with archive.open(record) as content:  # not testzip(), which goes by names
                    while content.read(CHUNK):
                        pass
    except DAMAGED as error:
        return f'{error or type(error).__name__}'
    return None


def check_whole(path: Path) -> None:
    """Check the file of any checkpoint; formats without checksums pass.

    Raises:
        InputError: If it is damaged, see ``damage``.
    """
    if path.is_file() and _is_archive(path) and (fault := damage(path)) is not None:
        raise InputError(f'checkpoint {path} is damaged: {fault}')


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


def _is_archive(path: Path) -> bool:
    with path.open('rb') as file:
        return file.read(len(ZIP_MAGIC)) == ZIP_MAGIC


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
