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
from torch.export import ExportedProgram

from mmdpt.errors import InputError
from mmdpt.inference.backends import require
from mmdpt.inference.metadata import INPUT, as_strings

from .module import ExportableModel
from .verification import own_size, verify

PRECISIONS = ('fp32', 'fp16')
NOTHING = (torch.ops.aten.alias.default, torch.ops.aten.detach.default)
"""Operators that coremltools does not know and that compute nothing."""
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
    size: tuple[int, int] | None = None,
) -> None:
    """Write a model for one image of ``size``, height and width [px]; by default the model's own.

    The position embedding is resized to it, and weights are standardised, before the conversion.
    """
    import coremltools

    size = size or own_size(module)
    program = _folded(module, torch.zeros(1, 3, *size))
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


@torch.no_grad()
def _folded(module: ExportableModel, image: Tensor) -> ExportedProgram:
    """Record a graph, with constants in the place of what does not depend on the image."""
    from torch._inductor.constant_folding import constant_fold

    graph = torch.export.export(module, (image,)).run_decompositions({}).module(check_guards=False)
    constant_fold(graph)
    program = torch.export.export(graph, (image,)).run_decompositions({})
    nodes = program.graph_module.graph
    for node in list(nodes.nodes):
        if node.op == 'call_function' and node.target in NOTHING:
            node.replace_all_uses_with(node.args[0])
            nodes.erase_node(node)
    outputs = nodes.output_node().args[0]
    for node, spec in zip(outputs, program.graph_signature.output_specs, strict=True):
        spec.arg.name = node.name
    program.graph_module.recompile()
    return program
