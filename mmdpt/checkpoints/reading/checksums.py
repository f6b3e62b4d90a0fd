"""Find damage to a checkpoint's file by its checksums.

torch.save gives every record of its zip archive a CRC-32, which torch.load does not check
(pytorch/pytorch third_party/miniz, MINIZ_DISABLE_ZIP_READER_CRC32_CHECKS).
"""

import struct
import zipfile
import zlib
from pathlib import Path

import torch

from mmdpt.errors import InputError

from .expansion import ZIP_MAGIC, check_archive

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
"""The errors that zipfile raises for damaged files."""


def damage(path: Path) -> str | None:
    """Say what is wrong with a checkpoint's file; give None if it is intact.

    Every changed byte that torch would read is found, and every file that ends early. In archives
    without checksums (``torch.serialization.set_crc32_options(False)``) only an early end is found.
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
    """Check the file of any checkpoint. Formats without checksums pass.

    Raises:
        InputError: If it is damaged, see ``damage``.
    """
    if path.is_file() and _is_archive(path) and (fault := damage(path)) is not None:
        raise InputError(f'checkpoint {path} is damaged: {fault}')


def _is_archive(path: Path) -> bool:
    with path.open('rb') as file:
        return file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
