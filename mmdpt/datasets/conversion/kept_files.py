"""What all converters share: optional packages, and files written atomically."""

import csv
import importlib
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
from numpy.typing import NDArray

from mmdpt.errors import InputError
from mmdpt.files.atomic import write_atomically

Report = Callable[[int, int | None], None]
"""Called with the number done and the total; None: the total is unknown."""
PREPARATION = 'how to prepare data: docs/datasets-depth.md'


def optional_module(name: str, needed_for: str) -> ModuleType:
    """Import a package that mmdpt does not depend on.

    Raises:
        InputError: If it is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition('.')[0]
        raise InputError(f'{needed_for} needs {package}: pip install {package}') from error


def check_own_data(dataset: Any, path: str | os.PathLike) -> None:
    """Raise InputError if an HDF5 data set takes its numbers from other files.

    h5py tells by ``external``, ``is_virtual`` and the ``file`` behind an external link.
    """
    name = getattr(getattr(dataset, 'file', None), 'filename', path)
    if (
        getattr(dataset, 'external', None)
        or getattr(dataset, 'is_virtual', False)
        or os.path.realpath(os.fsdecode(name)) != os.path.realpath(path)
    ):
        raise InputError(f'{path} takes numbers from another file: not read')


def write_image(path: Path, pixels: NDArray) -> None:
    """Write a BGR image in the format of the suffix, JPEG with OpenCV's quality of 95."""
    encoded, data = cv2.imencode(path.suffix, pixels)
    if not encoded:
        raise OSError(f'OpenCV cannot encode {path}')
    write_atomically(path, data.tobytes(), parents=True)


def write_csv(path: Path, columns: Iterable[str], rows: Iterable[Iterable]) -> None:
    """Write a list file for ``DepthListDataset``, unless it has the same content already."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write a text file, unless it has the same content already."""
    data = text.encode()
    if not path.exists() or path.read_bytes() != data:
        write_atomically(path, data, parents=True)
