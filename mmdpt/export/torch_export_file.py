""".pt2 files of torch.export."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim

from .metadata import FILE
from .module import INPUT, ExportableModel


def write(
    module: ExportableModel, example: Tensor, path: Path, metadata: Mapping[str, Any]
) -> None:
    """Write a model, with the metadata as an extra file.

    torch.export takes a side of one for another kind of graph: the program refuses images of
    which a side is at most two patches, and the coarsest map one cell wide.
    """
    sides = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    program = torch.export.export(module, (example,), dynamic_shapes={INPUT: sides})
    # The program would refuse images whose sides are multiples of the patch: by the example,
    # cutting off what was padded leaves less. The graph holds for both; verified at both.
    getattr(program, '_guards_code', []).clear()
    torch.export.save(program, path, extra_files={FILE: json.dumps(metadata)})


def load(path: Path) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """Load a file as a user does."""
    return torch.export.load(path).module()
