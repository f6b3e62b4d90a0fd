"""Traced TorchScript files. Torch 2.14 deprecates them; some runtimes load nothing newer."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .metadata import FILE
from .module import ExportableModel


def write(
    module: ExportableModel, example: Tensor, path: Path, metadata: Mapping[str, Any]
) -> None:
    """Write a model, with the metadata as an extra file.

    The trace computes sizes from the size of the input. The tracer warns where it does not; these
    are checks of shapes that hold for every image, which verification confirms.
    """
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(module, (example,), check_trace=False)
        torch.jit.save(traced, str(path), _extra_files={FILE: json.dumps(metadata)})


def load(path: Path) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """Load a file as a user would."""
    with _quiet():
        return torch.jit.load(str(path))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the tracer's warnings and the deprecation of torch.jit."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        for category in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings('ignore', r'`torch\.jit', category)
        yield
