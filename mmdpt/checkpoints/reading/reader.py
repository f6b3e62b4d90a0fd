"""Read a checkpoint file without executing anything in it."""

import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.files.paths import check_file

from .checksums import check_whole
from .download import download
from .expansion import check_archive, check_contents
from .mapped import copy_tensors, has_optimizer
from .recorded import Recorded
from .releases import RELEASES
from .zoos import of_zoo, zoo_address

HEADER_LENGTH = 8
"""Bytes before the JSON header of a safetensors file."""
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
"""What MMEngine pickles beside tensors, the log's history. ``Recorded`` takes its place."""

_UNPICKLING = Lock()
"""torch has one list of what may be unpickled, for all threads."""


class Checkpoint(NamedTuple):
    """The tensors of a file, and what MMEngine noted about them ({} in other files)."""

    state_dict: dict[str, Tensor]
    meta: dict[str, Any]


def read_checkpoint(source: str | Path) -> Checkpoint:
    """Read a file of torch.save by weights-only unpickling, or a safetensors file.

    The content says which of the two it is, whatever the name ends in.

    Args:
        source: A local path; or an https address, the name of a release (``list_models``) or one
            of MMEngine's (``zoo_address``), whose file is kept in a cache, see ``download``.

    Raises:
        InputError: If the file is missing, of another kind, damaged, would execute code, or holds
            no tensors.
    """
    path = local_path(source)
    check_whole(path)
    loaded = _read_safetensors(path) if _is_safetensors(path) else _unpickle_model(path)
    if not isinstance(loaded, Mapping):
        raise InputError(f'{source} holds a {type(loaded).__name__}, not tensors by name')
    state_dict = of_zoo(str(source), state_dict_of(loaded))
    if not state_dict or not all(isinstance(value, Tensor) for value in state_dict.values()):
        others = [key for key, value in state_dict.items() if not isinstance(value, Tensor)]
        raise InputError(f'{source} is no state dict: {others[:8] or "it is empty"}')
    meta: Any = loaded.get('meta', {})
    meta = dict(meta) if isinstance(meta, Mapping) else {}
    meta['dataset_meta'] = _names_and_colours(meta.get('dataset_meta'))
    return Checkpoint(state_dict, meta)


def _names_and_colours(said: Any) -> dict[str, Any] | None:
    """Keep class names that are text and colours that are numbers; give None if there are none.

    Both go into pictures, JSON and other checkpoints; a pickle can put anything in their place.
    """
    if not isinstance(said, Mapping):
        return None
    classes, palette = said.get('classes'), said.get('palette')
    kept: dict[str, Any] = {}
    if _all_are(classes, lambda name: type(name) is str):
        kept['classes'] = classes
    if _all_are(palette, lambda colour: _all_are(colour, lambda level: type(level) is int)):
        kept['palette'] = palette
    return kept or None


def _all_are(values: Any, holds: Callable[[Any], bool]) -> bool:
    return isinstance(values, list | tuple) and all(map(holds, values))


def state_dict_of(loaded: Mapping[str, Any]) -> dict[str, Any]:
    """Unwrap the tensors of a loaded file, without a parallel model's ``module.`` prefix."""
    for name in WRAPPED_IN:
        if isinstance(loaded.get(name), Mapping):
            loaded = loaded[name]
            break
    if not all(isinstance(key, str) for key in loaded):
        return {str(key): None for key in loaded}  # no names of tensors
    prefix = 'module.' if all(key.startswith('module.') for key in loaded) else ''
    return {key.removeprefix(prefix): value for key, value in loaded.items()}


def local_path(source: str | Path) -> Path:
    """Give the local file of a path, an address or a name, see ``read_checkpoint``.

    Raises:
        InputError: If there is no such file, or it cannot be had.
    """
    release = RELEASES.get(str(source))
    address = zoo_address(str(source) if release is None else release.address)
    path = download(address) if '://' in address else Path(address)
    named = '' if path.suffix else ', and list_models() has no release of that name'
    return check_file(path, 'checkpoint', named)


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins with the length of a header and a header in JSON, as no pickle does."""
    with path.open('rb') as file:
        start = file.read(HEADER_LENGTH + 1)
    return start[HEADER_LENGTH:] == b'{' and start[HEADER_LENGTH - 1] == 0


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise InputError(f'{path}: pip install safetensors to read it') from error

    @contextmanager
    def opened() -> Iterator[Callable[[str], Tensor]]:
        with safe_open(path, 'pt') as file:
            yield file.get_tensor

    try:
        with safe_open(path, 'pt') as file:
            names = list(file.keys())
        return copy_tensors(names, path.stat().st_size, opened)
    except SafetensorError as error:
        raise InputError(f'{path} is damaged: {error}') from error


def _unpickle_model(path: Path) -> Any:
    """Unpickle a file. A training's has an optimiser of twice the model's size: leave that out."""
    if not has_optimizer(path):
        return unpickle(path)
    loaded = unpickle(path, mapped=True)
    state_dict = state_dict_of(loaded) if isinstance(loaded, Mapping) else {}
    if not all(isinstance(value, Tensor) for value in state_dict.values()):
        return loaded
    names, size = list(state_dict), sum(value.nbytes for value in state_dict.values())
    meta, first = loaded.get('meta'), [state_dict]
    del loaded, state_dict  # so that the mapping ends with its part

    @contextmanager
    def opened() -> Iterator[Callable[[str], Tensor]]:
        mapped = first.pop() if first else state_dict_of(unpickle(path, mapped=True))
        yield mapped.__getitem__

    return dict(state_dict=copy_tensors(names, size, opened), meta=meta)


def unpickle(path: Path, mapped: bool = False) -> Any:
    """Read a .pth file by weights-only unpickling; ``mapped`` leaves its tensors in the file."""
    check_archive(path)
    try:
        with _recording_bookkeeping():
            loaded = torch.load(path, map_location='cpu', weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        named = re.search(r'GLOBAL ([\w.]+)', str(error))
        what = f'would call {named[1]}' if named else 'is no pickle of tensors alone'
        raise InputError(
            f'{path} {what}: only files of tensors are read, nothing in them is executed. '
            'Where you trust it, save its state dict with the code base that it comes from'
        ) from error
    except Exception as error:  # the unpickler raises whatever changed bytes make go wrong
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f'{path} cannot be read: {reason}') from error
    check_contents(path, loaded)
    return loaded


@contextmanager
def _recording_bookkeeping() -> Iterator[None]:
    """Let weights-only unpickling read MMEngine's own files, with stand-ins that call nothing."""
    inert: list[Any] = []
    for path in BOOKKEEPING:
        module, _, name = path.rpartition('.')
        inert.append(type(name, (Recorded,), dict(__module__=module, __qualname__=name)))
    with _UNPICKLING:
        before = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(inert)
        try:
            yield
        finally:
            torch.serialization.clear_safe_globals()
            torch.serialization.add_safe_globals(before)
