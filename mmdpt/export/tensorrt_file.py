"""TensorRT's engines (.engine), built from a verified ONNX file on the GPU that will run them.

There was no GPU where this was written: it was run against a stand-in for TensorRT alone.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.inference.backends import require
from mmdpt.inference.metadata import INPUT

from . import onnx_file
from .module import ExportableModel
from .verification import own_size, verified_shapes, verify

MOST_IMAGES = 8
"""Largest batch of an engine."""
load = None
"""Nothing opens the engine here."""


def check_can_write(module: ExportableModel) -> None:
    """Raise InputError if a package or the GPU is missing."""
    onnx_file.check_can_write(module)
    require(['tensorrt'], 'TensorRT', 'tensorrt')
    if not torch.cuda.is_available():
        raise InputError('TensorRT builds an engine on the GPU that will run it: none is here')


def write(
    module: ExportableModel,
    example: Tensor,
    path: Path,
    metadata: Mapping[str, Any],
    size: tuple[int, int] | None = None,
) -> None:
    """Write an engine in float32 (TF32), with the metadata beside it as .json.

    It takes 1 to 8 images of ``size``; by default of half to twice the model's own size.
    """
    import tensorrt

    logger = tensorrt.Logger(tensorrt.Logger.WARNING)
    builder = tensorrt.Builder(logger)
    network = builder.create_network()
    parser = tensorrt.OnnxParser(network, logger)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix='.mmdpt-') as folder:
        onnx = Path(folder, 'model.onnx')
        onnx_file.write(module, example, onnx, metadata, None, size)
        verify(module, onnx_file.load(onnx), verified_shapes(module, size))
        if not parser.parse_from_file(str(onnx)):
            raise InputError(f'TensorRT cannot read the ONNX file: {parser.get_error(0)}')
    best = size or own_size(module)
    least, most = (best, best) if size else [[int(f * side) for side in best] for f in (0.5, 2)]
    profile = builder.create_optimization_profile()
    profile.set_shape(INPUT, (1, 3, *least), (1, 3, *best), (MOST_IMAGES, 3, *most))
    config = builder.create_builder_config()
    config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise InputError('TensorRT built no engine; its log says why')
    path.write_bytes(engine)
    path.with_suffix('.json').write_text(json.dumps(metadata))
