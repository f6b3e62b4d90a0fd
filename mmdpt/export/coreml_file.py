"""CoreML packages (.mlpackage) of one image size. They convert on Linux and run on Apple's systems.

So the file is not run here. What is checked: the graph that is converted computes what the model
does, and the package has its inputs and outputs. coremltools refuses operators that iOS 16 lacks.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.inference.backends import require
from mmdpt.inference.metadata import INPUT, as_strings

from .fixed_size import fold_into_program
from .module import ExportableModel
from .verification import verify

PRECISIONS = ('fp32', 'fp16')
ONE_IMAGE = True
"""Batch, height and width are fixed."""
load = None
"""Nothing opens the file here."""


def check_can_write(module: ExportableModel) -> None:
    """Raise InputError if coremltools is missing."""
    require(['coremltools'], 'CoreML', 'coreml')


def write(
    module: ExportableModel,
    example: Tensor,
    path: Path,
    metadata: Mapping[str, Any],
    precision: str = 'fp32',
    *,
    size: tuple[int, int],
) -> None:
    """Write a model for one image of ``size``, height and width [px]."""
    import coremltools

    program = fold_into_program(module, torch.zeros(1, 3, *size))
    verify(module, program.module(), [(1, 3, *size)])
    types = coremltools.precision
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # torch is newer than what coremltools was tested with
    try:
        package = coremltools.convert(
            program,
            minimum_deployment_target=coremltools.target.iOS16,
            compute_precision=types.FLOAT16 if precision == 'fp16' else types.FLOAT32,
        )
    finally:
        logging.disable(level)
    spec = package.get_spec()
    said = spec.description
    for ours, name in zip([each.name for each in said.output], module.output_names, strict=True):
        coremltools.utils.rename_feature(spec, ours, name)
    found = {each.name: [*each.type.multiArrayType.shape] for each in (*said.input, *said.output)}
    expected = {INPUT: [1, 3, *size]}
    for name, output in zip(module.output_names, module(torch.zeros(1, 3, *size)), strict=True):
        expected[name] = [*output.shape]
    if found != expected:
        raise InputError(f'the package takes and gives {found}, the model {expected}')
    said.metadata.userDefined.update(as_strings(dict(metadata, precision=precision)))
    weights = package.weights_dir
    coremltools.models.MLModel(spec, weights_dir=weights, skip_model_load=True).save(str(path))
