"""Write a file, compare it with the model, and only then give it its name."""

from functools import partial
from pathlib import Path
from types import ModuleType

import torch
from mmseg.models import BaseSegmentor

from mmdpt.errors import InputError
from mmdpt.export import onnx_file, torch_export_file, torchscript_file
from mmdpt.files.atomic import atomic_path

from .metadata import describe
from .module import ExportableModel
from .verification import Comparison, example_shape, first_line, verified_shapes, verify

FORMATS: dict[str, tuple[str, ModuleType]] = {
    'onnx': ('.onnx', onnx_file),
    'torch-export': ('.pt2', torch_export_file),
    'torchscript': ('.pt', torchscript_file),
}
"""Suffix and writer of each format."""


def check_out(path: Path, format_name: str) -> None:
    """Raise InputError if the suffix is not the format's or the file exists."""
    suffix = FORMATS[format_name][0]
    if path.suffix != suffix:
        raise InputError(f'{path}: a file of {format_name} ends in {suffix}')
    if path.exists():
        raise InputError(f'{path} exists')


def export_model(
    model: BaseSegmentor,
    format_name: str,
    out: str | Path,
    verified: bool = True,
    opset: int | None = None,
) -> list[Comparison]:
    """Export a model to a file that takes normalised images (N, 3, H, W) of any size.

    Args:
        model: A model of ``init_model``, on the CPU.
        format_name: A key of ``FORMATS``.
        out: The file to write; it must not exist.
        verified: Whether to load the file and compare it with the model at four shapes.
        opset: Operator set of ONNX, 18 or above; None: torch's.

    Returns:
        The comparisons; none without ``verified``.

    Raises:
        InputError: If the file exists, the format cannot hold the model, a package is missing,
            or the file does not compute what the model does. No file is left then.
    """
    path = Path(out)
    check_out(path, format_name)
    writer = FORMATS[format_name][1]
    if opset is not None and (writer is not onnx_file or opset < onnx_file.LEAST_OPSET):
        raise InputError(
            f'opset is the operator set of ONNX, {onnx_file.LEAST_OPSET} or above: got {opset} for '
            f'{format_name}'
        )
    write = writer.write if opset is None else partial(onnx_file.write, opset=opset)
    module = ExportableModel(model).eval()
    metadata = describe(model)
    if writer is onnx_file:
        onnx_file.check_can_write(module)
    with atomic_path(path, parents=True) as unfinished:
        try:
            write(module, torch.randn(example_shape(module)), unfinished, metadata)
        except (InputError, OSError):
            raise
        except Exception as error:  # exporters pass on errors of any layer
            raise InputError(
                f'{format_name} cannot hold this model: {first_line(error)}'
            ) from error
        if not verified:
            return []
        return verify(module, writer.load(unfinished), verified_shapes(module))
