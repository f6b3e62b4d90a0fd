"""Write a file, compare it with the model, and only then give it its name."""

import inspect
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from mmseg.models import BaseSegmentor
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.export import (
    coreml_file,
    executorch_file,
    onnx_file,
    openvino_file,
    tensorrt_file,
    torch_export_file,
)
from mmdpt.files.atomic import atomic_path
from mmdpt.inference.metadata import describe

from .module import ExportableModel
from .verification import (
    TOLERANCES,
    Comparison,
    example_shape,
    first_line,
    own_size,
    verified_shapes,
    verify,
)


class Format(NamedTuple):
    """A suffix, a module with ``write`` and ``load``, and the suffix of a file beside the first."""

    suffix: str
    writer: ModuleType
    beside: str | None = None


FORMATS: dict[str, Format] = {
    'coreml': Format('.mlpackage', coreml_file),
    'executorch': Format('.pte', executorch_file),
    'onnx': Format('.onnx', onnx_file),
    'openvino': Format('.xml', openvino_file, '.bin'),
    'tensorrt': Format('.engine', tensorrt_file, '.json'),
    'torch-export': Format('.pt2', torch_export_file),
}


def check_out(path: Path, format_name: str) -> None:
    """Raise InputError if the suffix is not the format's or the file exists."""
    suffix, _, beside = FORMATS[format_name]
    if path.suffix != suffix:
        raise InputError(f'{path}: a file of {format_name} ends in {suffix}')
    for each in (suffix, beside) if beside else (suffix,):
        if path.with_suffix(each).exists():
            raise InputError(f'{path.with_suffix(each)} exists')


def check_options(
    format_name: str,
    opset: int | None = None,
    precision: str = 'fp32',
    calibration: Sequence[Any] = (),
    size: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Give the options of a format's ``write``.

    Raises:
        InputError: If an option is not of the format, or does not fit the others.
    """
    writer = FORMATS[format_name].writer
    if opset is not None and (writer is not onnx_file or opset < onnx_file.LEAST_OPSET):
        raise InputError(
            f'opset is the operator set of ONNX, {onnx_file.LEAST_OPSET} or above: got {opset} for '
            f'{format_name}'
        )
    known = getattr(writer, 'PRECISIONS', ('fp32',))
    if precision not in known:
        raise InputError(f'{format_name} is written in {" or ".join(known)}, not in {precision}')
    if (precision == 'int8') != bool(calibration):
        raise InputError('int8, and no other precision, needs images for its calibration')
    sized = 'size' in inspect.signature(writer.write).parameters
    if size is not None and not (sized and min(size) >= 1):
        raise InputError(f'size is in positive pixels, not for torch-export: got {size}')
    options = dict(opset=opset, precision=precision, calibration=calibration, size=size)
    return {name: value for name, value in options.items() if value not in (None, 'fp32', [], ())}


def export_model(
    model: BaseSegmentor,
    format_name: str,
    out: str | Path,
    verified: bool = True,
    opset: int | None = None,
    precision: str = 'fp32',
    calibration: Sequence[Tensor] = (),
    size: tuple[int, int] | None = None,
) -> list[Comparison]:
    """Export a model to a file that takes normalised images (N, 3, H, W).

    Height and width are dynamic without ``size``; but CoreML's and ExecuTorch's file takes one
    image of one size.

    Args:
        model: A model of ``init_model``, on the CPU.
        format_name: A key of ``FORMATS``.
        out: The file to write; it must not exist. OpenVINO's has .bin beside it, TensorRT's .json.
        verified: Whether to load the file and compare it with the model at four shapes.
        opset: Operator set of ONNX, 18 or above; None: torch's.
        precision: 'fp32'; for CoreML and OpenVINO also 'fp16', for OpenVINO 'int8'.
        calibration: Normalised images (N, 3, H, W), for int8, see ``prepared_images``.
        size: Height and width [px] of all images, not for torch-export; None: any, or the model's
            own for CoreML and ExecuTorch.

    Returns:
        The comparisons; none without ``verified``, and for CoreML and TensorRT, which are not run.

    Raises:
        InputError: If the file exists, the format cannot hold the model, an option is not of the
            format, a package is missing, or the file does not compute what the model does. No file
            is left then.
    """
    path = Path(out)
    check_out(path, format_name)
    options = check_options(format_name, opset, precision, calibration, size)
    _, writer, beside = FORMATS[format_name]
    module = ExportableModel(model).eval()
    one_image = hasattr(writer, 'ONE_IMAGE')
    if one_image:
        size = options.setdefault('size', own_size(module))
    metadata = describe(model)
    getattr(writer, 'check_can_write', lambda module: None)(module)
    with atomic_path(path, parents=True) as unfinished, _with(beside, unfinished, path):
        try:
            write = writer.write
            write(module, torch.randn(example_shape(module)), unfinished, metadata, **options)
        except (InputError, OSError):
            raise
        except Exception as error:  # exporters pass on errors of any layer
            raise InputError(
                f'{format_name} cannot hold this model: {first_line(error)}'
            ) from error
        if not verified or writer.load is None:
            return []
        shapes = verified_shapes(module, size)[: 1 if one_image else None]
        tolerance = TOLERANCES[precision]
        return verify(module, writer.load(unfinished), shapes, tolerance, calibration)


@contextmanager
def _with(suffix: str | None, unfinished: Path, path: Path) -> Iterator[None]:
    """Give the file beside the unfinished one its name too, or remove it, as ``atomic_path``."""
    if suffix is None:
        yield
        return
    try:
        yield
        os.replace(unfinished.with_suffix(suffix), path.with_suffix(suffix))
    finally:
        unfinished.with_suffix(suffix).unlink(missing_ok=True)
