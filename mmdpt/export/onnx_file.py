"""ONNX files: torch.onnx's exporter writes them from a torch.export graph."""

import contextlib
import io
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.inference.backends import open_onnx, require
from mmdpt.inference.metadata import INPUT, as_strings

from .fixed_size import fold
from .module import ExportableModel

PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')
LEAST_OPSET = 18
"""What torch's exporter writes; to lower ones it only tries to convert."""
GREATEST_FILE = 2**31
"""Size that protobuf allows for one file [bytes]."""


def check_can_write(module: ExportableModel) -> None:
    """Raise InputError if a package is missing or the weights do not fit into one file."""
    require(PACKAGES, 'ONNX', 'onnx')
    size = sum(tensor.nbytes for tensor in module.state_dict().values())
    if size >= GREATEST_FILE:
        raise InputError(
            f'{size / 2**30:.1f} GiB of weights exceed the 2 GiB of an ONNX file: '
            'take --format torch-export'
        )


def write(
    module: ExportableModel,
    example: Tensor,
    path: Path,
    metadata: Mapping[str, Any],
    opset: int | None = None,
    size: tuple[int, int] | None = None,
) -> None:
    """Write a model and let ``onnx.checker`` check it; ``metadata_props`` also hold the opset.

    With ``size``, height and width [px], the batch alone is dynamic.
    """
    import onnx

    graph: torch.nn.Module = module
    axes = {INPUT: {0: 'batch', 2: 'height', 3: 'width'}}
    if size is not None:
        example, axes = torch.zeros(2, 3, *size), {INPUT: {0: 'batch'}}
        graph = fold(module, example, {INPUT: {0: torch.export.Dim.DYNAMIC}})
    with _quiet():
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            opset_version=opset,
            input_names=[INPUT],
            output_names=module.output_names,
            dynamic_shapes=axes,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(
        as_strings(dict(metadata, opset=program.model.opset_imports['']))
    )
    program.save(str(path), external_data=False)
    onnx.checker.check_model(str(path))


def load(path: Path) -> Callable[[Tensor], list[Tensor]]:
    """Open a file in onnxruntime on the CPU."""
    return open_onnx(path).run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's progress and its optimiser's notes on skipped constants."""
    loggers = [logging.getLogger(name) for name in ('onnxscript', 'onnx_ir', 'torch.onnx')]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
