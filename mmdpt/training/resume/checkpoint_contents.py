"""Contents of a training's checkpoint: tensors, numbers and text, nothing to be called.

MMEngine pickles log buffers, NumPy scalars and functions of schedules as objects, and reading them
back would execute code. Weights-only unpickling reads all of our checkpoints, but those in which a
hook put NumPy arrays: only ours does.
"""

import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub, print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.runner.checkpoint import weights_to_cpu
from torch import Tensor

from mmdpt.checkpoints import state_dict_of
from mmdpt.checkpoints.reading.checksums import check_whole
from mmdpt.checkpoints.reading.reader import local_path, unpickle
from mmdpt.checkpoints.reading.recorded import Recorded, numpy_of
from mmdpt.errors import InputError
from mmdpt.files.paths import check_file

BUFFER_KEYS = ('log_history', 'count_history', 'max_length')
LEFT_OUT = object()


def to_plain(value: Any, name: str) -> Any:
    """Turn a part of a checkpoint into dicts, lists, tuples, tensors on the CPU, numbers and text.

    NumPy's scalars become numbers; its arrays stay, but are lists in ``meta``. Functions, such as
    the curve of a schedule, are dropped: they are code, not state. Objects of other classes are
    dropped, and the log names them.
    """
    left_out: list[str] = []
    plain = _plain(value, name, left_out)
    if left_out:
        print_log(f'no part of a checkpoint: {", ".join(sorted(set(left_out)))}', 'current')
    return plain


def contents_of(
    runner: Runner, meta: dict[str, Any], optimizer: bool = True, schedules: bool = True
) -> dict[str, Any]:
    """Collect a checkpoint, under MMEngine's keys, with what hooks add or change.

    ``meta`` has ``epoch`` and ``iter`` to resume at, and further notes.
    """
    notes = dict(
        cfg=runner.cfg.pretty_text,
        seed=runner.seed,
        experiment_name=runner.experiment_name,
        time=time.strftime('%Y%m%d_%H%M%S'),
        mmengine_version=mmengine.__version__,
        dataset_meta=dataset_meta(runner),
    )
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    checkpoint = dict(
        meta={**notes, **meta},
        state_dict=weights_to_cpu(model.state_dict()),
        message_hub=runner.message_hub.state_dict(),
    )
    if optimizer:
        checkpoint['optimizer'] = runner.optim_wrapper.state_dict()
    if schedules and runner.param_schedulers is not None:
        checkpoint['param_schedulers'] = _states(runner.param_schedulers)
    runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
    # weights are tensors already, and keep their class and its notes
    return {key: v if key == 'state_dict' else to_plain(v, key) for key, v in checkpoint.items()}


def dataset_meta(runner: Runner) -> dict[str, Any] | None:
    """Give classes and palette of the training data."""
    return getattr(runner.train_dataloader.dataset, 'metainfo', None)


def read_training_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint to resume, by weights-only unpickling.

    Raises:
        InputError: If it is missing, damaged, would execute code, or lacks what a training saves.
    """
    check_file(path, 'checkpoint')
    check_whole(path)
    loaded = unpickle(path)
    found = loaded if isinstance(loaded, dict) else {}
    missing = [
        key for key in ('state_dict', 'meta', 'message_hub') if not isinstance(found.get(key), dict)
    ]
    if not missing:
        counters = [found['meta'].get(key) for key in ('epoch', 'iter')]
        missing = [] if all(type(n) is int and n >= 0 for n in counters) else ['epoch and iter']
    if missing:
        raise InputError(
            f'checkpoint {path} is of no training to resume: it holds no {", ".join(missing)}. '
            'Start from it with load_from'
        )
    state_dict = state_dict_of(found)
    if not all(isinstance(value, Tensor) for value in state_dict.values()):
        raise InputError(f'checkpoint {path} holds more than tensors as its weights')
    parts = {key: to_plain(found[key], key) for key in found if key != 'state_dict'}
    return dict(state_dict=state_dict, **parts)


def read_notes(source: str | Path) -> dict[str, Any]:
    """Read what a training noted beside weights and optimiser, such as averaged weights.

    Its tensors stay in the file until they are used. A file of another kind gives nothing.
    """
    path = local_path(source)
    loaded = unpickle(path, mapped=True) if zipfile.is_zipfile(path) else {}
    if not (isinstance(loaded, dict) and isinstance(loaded.get('state_dict'), dict)):
        return {}
    known = ('state_dict', 'optimizer', 'param_schedulers')
    return {key: to_plain(part, key) for key, part in loaded.items() if key not in known}


def restore_log(hub: MessageHub, saved: Mapping[str, Any]) -> None:
    """Restore the scalars and information of the message hub; ignore what is not a buffer."""
    scalars = {
        key: HistoryBuffer(
            value['log_history'].numpy(), value['count_history'].numpy(), value['max_length']
        )
        for key, value in saved.get('log_scalars', {}).items()
        if isinstance(value, Mapping) and set(value) == set(BUFFER_KEYS)
    }
    information = dict(saved.get('runtime_info', {}))
    resumed = {
        key: value
        for key, value in saved.get('resumed_keys', {}).items()
        if key in scalars or key in information
    }
    hub.load_state_dict(dict(log_scalars=scalars, runtime_info=information, resumed_keys=resumed))


def _states(schedules: Any) -> Any:
    if isinstance(schedules, dict):
        return {key: _states(part) for key, part in schedules.items()}
    return [schedule.state_dict() for schedule in schedules]


def _plain(value: Any, name: str, left_out: list[str]) -> Any:
    if value is None or isinstance(value, (bool, bytes)):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if (
        isinstance(value, np.ndarray)
        and value.dtype.kind in 'biufc'
        and not name.startswith('meta')
    ):
        return value
    if isinstance(value, (np.generic, np.ndarray)):
        return _plain(value.tolist(), name, left_out)
    if isinstance(value, Recorded):
        with suppress(KeyError, TypeError, ValueError):
            return _plain(_object_of(value), name, left_out)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, HistoryBuffer):
        buffer = (*map(torch.from_numpy, value.data), value.max_length)
        return dict(zip(BUFFER_KEYS, buffer, strict=True))
    if isinstance(value, Mapping):
        parts = {key: _plain(part, f'{name}.{key}', left_out) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part is not LEFT_OUT}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_plain(item, name, left_out) for item in value]
        items = [item for item in items if item is not LEFT_OUT]
        if isinstance(value, list):
            return items
        return tuple(items) if isinstance(value, tuple) else set(items)
    if not callable(value) or isinstance(value, type):
        left_out.append(name)
    return LEFT_OUT


def _object_of(value: Recorded) -> Any:
    """Make the log's buffer, the array or the number of which a pickle tells."""
    if type(value).__name__ != HistoryBuffer.__name__:
        return numpy_of(value)
    arrays = (numpy_of(value.state[f'_{key}']) for key in BUFFER_KEYS[:2])
    return HistoryBuffer(*arrays, max_length=value.state['max_length'])
