"""A graph of one image size: what depends on the size alone, or on nothing, is a constant."""

from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import GraphModule

from .module import ExportableModel

NOTHING = (torch.ops.aten.alias.default, torch.ops.aten.detach.default)
"""Operators that compute nothing, and that other libraries do not know."""


@torch.no_grad()
def fold(module: ExportableModel, images: Tensor, dynamic: Any = None) -> GraphModule:
    """Record a graph with the resized position embedding and standardised weights as constants.

    ``dynamic`` is ``dynamic_shapes`` of ``torch.export.export``: the axes that stay free.
    """
    from torch._inductor.constant_folding import constant_fold

    program = torch.export.export(module, (images,), dynamic_shapes=dynamic)
    graph = program.run_decompositions({}).module(check_guards=False)
    constant_fold(graph)
    graph.training = False  # a graph's eval() refuses; exporters warn
    return graph


@torch.no_grad()
def fold_into_program(module: ExportableModel, image: Tensor) -> ExportedProgram:
    """Give the graph as a program without operators that compute nothing."""
    program = torch.export.export(fold(module, image), (image,)).run_decompositions({})
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
