"""Read a checkpoint file without executing anything in it."""

import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmdpt.checkpoints.download import download
from mmdpt.checkpoints.releases import RELEASES
from mmdpt.errors import InputError

PICKLED = ('.pth', '.pt', '.bin')
SAFETENSORS = '.safetensors'
WRAPPED_IN = ('state_dict', 'model')
"""MMEngine, and a training of isl-org/DPT (dpt/base_model.py), keep the tensors under these."""
BOOKKEEPING = (
    'builtins.getattr',
    'mmengine.logging.history_buffer.HistoryBuffer',
    'numpy._core.multiarray._reconstruct',
    'numpy._core.multiarray.scalar',
    'numpy.core.multiarray._reconstruct',
    'numpy.core.multiarray.scalar',
    'numpy.dtype',
    'numpy.ndarray',
)
"""What MMEngine pickles beside tensors: the log's history. Read as nothing, see ``_Ignored``."""


class Checkpoint(NamedTuple):
    """Tensors of a file, and what MMEngine says about them ({} in other files)."""

    state_dict: dict[str, Tensor]
    meta: dict[str, Any]


class _Ignored:
    """Stands in for a pickled object that is not needed, and calls nothing."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def read_checkpoint(source: str | Path) -> Checkpoint:
    """Read .pth, .pt and .bin by weights-only unpickling, or .safetensors.

    Args:
        source: Local path; or https address, or the name of a release (``list_models``), which is
            kept in mmdpt's cache, see ``download``.

    Raises:
        InputError: If the file is missing, of another kind, would execute code, or holds no
            tensors.
    """
    path = _local(str(source))
    if path.suffix not in (*PICKLED, SAFETENSORS):
        raise InputError(
            f'{source}: a checkpoint ends in {", ".join((*PICKLED, SAFETENSORS))}, or is a name of '
            'mmdpt.apis.list_models()'
        )
    if not path.is_file():
        raise InputError(f'no checkpoint file {source}')
    loaded = _read_safetensors(path) if path.suffix == SAFETENSORS else _unpickle(path)
    if not isinstance(loaded, Mapping):
        raise InputError(f'{source} holds a {type(loaded).__name__}, not tensors by name')
    state_dict = state_dict_of(loaded)
    if not state_dict or not all(isinstance(value, Tensor) for value in state_dict.values()):
        others = [key for key, value in state_dict.items() if not isinstance(value, Tensor)]
        raise InputError(f'{source} is no state dict: {others[:8] or "it is empty"}')
    meta: Any = loaded.get('meta', {})
    return Checkpoint(state_dict, dict(meta) if isinstance(meta, Mapping) else {})


def state_dict_of(loaded: Mapping[str, Any]) -> dict[str, Any]:
    """Unwrap the tensors of a loaded file, without a parallel model's ``module.`` prefix."""
    for name in WRAPPED_IN:
        if isinstance(loaded.get(name), Mapping):
            loaded = loaded[name]
            break
    prefix = 'module.' if all(key.startswith('module.') for key in loaded) else ''
    return {key.removeprefix(prefix): value for key, value in loaded.items()}


def _local(source: str) -> Path:
    release = RELEASES.get(source)
    source = source if release is None else release.address
    return download(source) if '://' in source else Path(source)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise InputError(f'{path}: pip install safetensors to read it') from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f'{path} is damaged: {error}') from error


def _unpickle(path: Path) -> Any:
    try:
        with _ignoring_bookkeeping():
            return torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r'GLOBAL ([\w.]+)', str(error))
        what = f'would call {named[1]}' if named else 'is no pickle of tensors alone'
        raise InputError(
            f'{path} {what}: only files of tensors are read, nothing in them is executed. '
            'Where you trust it, save its state dict with the code base that it comes from'
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f'{path} cannot be read: {str(error).splitlines()[0]}') from error


@contextmanager
def _ignoring_bookkeeping() -> Iterator[None]:
    """Let weights-only unpickling read MMEngine's own files, with stand-ins that do nothing."""
    before = torch.serialization.get_safe_globals()
    inert: list[Any] = []
    for path in BOOKKEEPING:
        module, _, name = path.rpartition('.')
        inert.append(type(name, (_Ignored,), dict(__module__=module, __qualname__=name)))
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(inert)
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
