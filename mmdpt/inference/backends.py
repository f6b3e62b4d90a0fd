"""Run an exported file in the place of the model that it was written from."""

import importlib
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
import torch.nn as nn
from torch import Tensor

from mmdpt.checkpoints.filling import ParametersUnset
from mmdpt.errors import InputError
from mmdpt.files.paths import check_file

from .metadata import INPUT, depth_head_of, describe
from .model import build_model

Backend = Literal['eager', 'onnx', 'openvino']
Run = Callable[[Tensor], list[Tensor]]
OPENVINO_TYPES = dict(fp32='f32', bf16='bf16', fp16='f16')
SAME = ('outputs', 'channel_order', 'mean', 'std', 'unit', 'classes', 'canonical_focal')
"""What the metadata of a file and the config that is given with it must both say."""


class Opened(NamedTuple):
    """A file as a function from images (N, 3, H, W) to its outputs, and its metadata."""

    run: Run
    metadata: dict[str, str]


def require(packages: Sequence[str], what: str, extra: str) -> None:
    """Raise InputError, which says what to install, if a package cannot be imported."""
    for name in packages:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise InputError(f"{what} needs {name}: pip install 'mmdpt[{extra}]'") from error


def open_onnx(path: Path, precision: str = 'fp32') -> Opened:
    """Open an ONNX file in onnxruntime, on as many threads of the CPU as torch has."""
    require(['onnxruntime'], 'ONNX', 'onnx')
    import onnxruntime

    if precision != 'fp32':
        raise InputError(f'onnxruntime computes in fp32 on the CPU, not in {precision}')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return Opened(
        lambda image: [
            torch.from_numpy(output) for output in session.run(None, {INPUT: image.numpy()})
        ],
        dict(session.get_modelmeta().custom_metadata_map),
    )


def open_openvino(path: Path, precision: str = 'fp32') -> Opened:
    """Open a file of OpenVINO (.xml, with .bin beside it) on as many threads as torch has."""
    require(['openvino'], 'OpenVINO', 'openvino')
    import openvino

    core = openvino.Core()
    if precision != 'fp32' and precision.upper() not in core.get_property(
        'CPU', 'OPTIMIZATION_CAPABILITIES'
    ):
        raise InputError(f'OpenVINO does not compute in {precision} on this CPU')
    model = core.read_model(path)
    settings = dict(
        INFERENCE_PRECISION_HINT=OPENVINO_TYPES[precision],
        INFERENCE_NUM_THREADS=torch.get_num_threads(),
        PERFORMANCE_HINT='LATENCY',
    )
    compiled = core.compile_model(model, 'CPU', settings)
    local = threading.local()  # a request computes one thing at a time

    def run(image: Tensor) -> list[Tensor]:
        if not hasattr(local, 'request'):
            local.request = compiled.create_infer_request()
        results = local.request.infer([image.numpy()], share_inputs=True)
        return [torch.from_numpy(results[place]) for place in range(len(compiled.outputs))]

    said = model.get_rt_info('mmdpt').value if model.has_rt_info('mmdpt') else {}
    return Opened(run, dict(said))


OPENERS = dict(onnx=open_onnx, openvino=open_openvino)


def model_of_file(
    config: str,
    path: str | None,
    backend: str,
    precision: str = 'fp32',
    cfg_options: Sequence[str] = (),
) -> nn.Module:
    """Build a model whose network is an exported file; it has no weights of its own.

    Args:
        config: See ``init_model``: the config that the file was exported with.
        path: The file, of ``tools/export.py``.
        backend: 'onnx' or 'openvino'.
        precision: What OpenVINO computes in: 'fp32', 'bf16' or 'fp16'.
        cfg_options: Overrides, 'key=value'.

    Raises:
        InputError: If the file is missing, cannot be opened or was written from another kind of
            model, or the backend does not compute in the precision.
    """
    if backend not in OPENERS:
        raise InputError(f'backend must be eager, onnx or openvino, got {backend!r}')
    if path is None:
        raise InputError(f'backend {backend} runs a file of tools/export.py: give it as checkpoint')
    check_file(path, 'exported model')
    try:
        opened = OPENERS[backend](Path(path), precision)
    except InputError:
        raise
    except Exception as error:  # each runtime raises its own
        raise InputError(f'{backend} cannot open {path}: {error}') from error
    with ParametersUnset():
        model: Any = build_model(config, cfg_options)
    classes = _check_same(model, opened.metadata, path)
    if classes and model.dataset_meta is not None:
        model.dataset_meta['classes'] = classes
    run_instead(model, opened.run)
    model.backbone = nn.Identity()
    return model.eval()


def run_instead(model: Any, run: Run) -> None:
    """Let a model's ``encode_decode`` be what an exported file computes."""
    head = depth_head_of(model)
    focal = None if head is None else head.canonical_focal

    def encode_decode(inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        try:
            outputs = run(inputs.detach().contiguous())
        except Exception as error:  # each runtime raises its own; the file may have one size
            shape, said = ' x '.join(map(str, inputs.shape)), ' '.join(str(error).split())
            raise InputError(f'the file fails for images of {shape}: {said}') from error
        if focal is not None:
            assert head is not None
            place = len(outputs) - 1 - (head.predictor.sky is not None)
            outputs[place] = outputs[place] * head.camera_factors(batch_img_metas, outputs[place])
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)

    model.encode_decode = encode_decode


def _check_same(model: Any, said: dict[str, str], path: str) -> tuple[str, ...]:
    """Raise InputError if a file's metadata is not that of a model; give the file's classes."""
    if 'mmdpt_version' not in said:
        raise InputError(f'{path} was not written by tools/export.py: it says nothing of mmdpt')
    ours: dict[str, Any] = describe(model)
    theirs = {key: _value(said[key]) for key in SAME if key in said}
    if len(theirs.get('classes', ())) == model.decode_head.num_classes:
        ours['classes'] = theirs['classes']  # a checkpoint may have names of its own
    for key in SAME:
        if ours.get(key) != theirs.get(key):
            raise InputError(
                f'{path} was exported with another config: its {key} is {theirs.get(key)}, '
                f'the config says {ours.get(key)}'
            )
    return tuple(theirs.get('classes', ()))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # as_strings leaves strings as they are
        return text
