"""ExecuTorch's programs (.pte) of one image size, computed by XNNPACK on CPUs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmdpt.inference.backends import require
from mmdpt.inference.metadata import as_strings

from .fixed_size import fold_into_program
from .module import ExportableModel

ONE_IMAGE = True
"""Batch, height and width are fixed."""


def check_can_write(module: ExportableModel) -> None:
    """Raise InputError if executorch is missing."""
    require(['executorch.exir', 'executorch.runtime'], 'ExecuTorch', 'executorch')


def write(
    module: ExportableModel,
    example: Tensor,
    path: Path,
    metadata: Mapping[str, Any],
    size: tuple[int, int],
) -> None:
    """Write a model for one image of ``size``; a method named as each key gives its metadata."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = to_edge_transform_and_lower(
        fold_into_program(module, torch.zeros(1, 3, *size)),
        partitioner=[XnnpackPartitioner()],
        constant_methods=as_strings(metadata),
    )
    path.write_bytes(program.to_executorch().buffer)


def load(path: Path) -> Callable[[Tensor], list[Tensor]]:
    """Open a file in ExecuTorch's runtime."""
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(path).load_method('forward')
    return lambda image: [output.clone() for output in method.execute([image])]
