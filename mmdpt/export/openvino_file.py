"""OpenVINO's files, converted from ONNX: .xml, with the weights beside it as .bin."""

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from mmdpt.inference.backends import open_openvino, require
from mmdpt.inference.metadata import as_strings

from . import onnx_file
from .module import ExportableModel

CONVOLUTIONS = ('Convolution', 'ConvolutionBackpropData', 'GroupConvolution')
"""Stay in floating point under int8: on the rendered scenes, mIoU fell from 82 to 17 % with them in
8 bits, and did not change without.
"""
PRECISIONS = ('fp32', 'fp16', 'int8')


def check_can_write(module: ExportableModel) -> None:
    """Raise InputError if a package is missing or the weights do not fit into ONNX."""
    require(['openvino'], 'OpenVINO', 'openvino')
    onnx_file.check_can_write(module)


def write(
    module: ExportableModel,
    example: Tensor,
    path: Path,
    metadata: Mapping[str, Any],
    precision: str = 'fp32',
    calibration: Sequence[Tensor] = (),
    size: tuple[int, int] | None = None,
) -> None:
    """Write a model, with the metadata as ``rt_info``.

    Args:
        module: The model.
        example: Images that record the graph.
        path: The .xml file.
        metadata: What the file says.
        precision: Of the weights: 'fp32'; 'fp16', which most devices compute in float32; 'int8',
            of the encoder's products alone, with activations in 8 bits, too.
        calibration: Normalised images (N, 3, H, W) that show int8 the range of activations.
        size: Height and width [px]; by default they are dynamic.
    """
    import openvino

    with tempfile.TemporaryDirectory(dir=path.parent, prefix='.mmdpt-') as folder:
        onnx = Path(folder, 'model.onnx')
        onnx_file.write(module, example, onnx, metadata, None, size)
        model = openvino.convert_model(onnx)
    if precision == 'int8':
        model = _quantize(model, calibration)
    for key, value in as_strings(dict(metadata, precision=precision)).items():
        model.set_rt_info(value, ['mmdpt', key])
    openvino.save_model(model, path, compress_to_fp16=precision == 'fp16')


def load(path: Path) -> Callable[[Tensor], list[Tensor]]:
    """Open a file in OpenVINO on the CPU."""
    return open_openvino(path).run


def _quantize(model: Any, images: Sequence[Tensor]) -> Any:
    """Quantize weights and activations of matrix products by NNCF."""
    require(['nncf'], 'int8', 'openvino')
    import nncf

    nncf.set_log_level(logging.WARNING)
    return nncf.quantize(
        model,
        nncf.Dataset([image.numpy() for image in images]),
        preset=nncf.QuantizationPreset.MIXED,
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(types=[*CONVOLUTIONS], validate=False),
    )
