"""torch.export files (.pt2)."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim

from mmdpt.inference.metadata import FILE, INPUT

from .module import ExportableModel


def write(
    module: ExportableModel, example: Tensor, path: Path, metadata: Mapping[str, Any]
) -> None:
    """Write a model, with the metadata as an extra file.

    The program refuses images with a side of at most two patches. Their coarsest map is one cell
    wide, and torch.export would need another graph for a side of one.
    """
    sides = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    program = torch.export.export(module, (example,), dynamic_shapes={INPUT: sides})
    # The guards would refuse images whose sides are multiples of the patch, because the example
    # is padded and cropped. The graph holds for both kinds; both are verified.
    getattr(program, '_guards_code', []).clear()
    torch.export.save(program, path, extra_files={FILE: json.dumps(metadata)})


def load(path: Path) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """Load a file as a user would."""
    return torch.export.load(path).module()
