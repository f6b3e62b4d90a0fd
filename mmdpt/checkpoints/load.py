"""The one way from a checkpoint's file into a model, or into a part of it.

``read_weights`` gives tensors under our names, whoever wrote the file. ``load_weights`` says what
fits, refuses what does not fit well enough, and fills the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch.nn as nn
from torch import Tensor

from mmdpt.errors import InputError

from .convert import Report, to_ours
from .detect import is_foreign, name_some
from .filling import fill
from .reading.reader import read_checkpoint

RESIZED_WHEN_LOADED = 'pos_embed'
"""The backbone interpolates this parameter, so its length may differ."""


class Weights(NamedTuple):
    """A checkpoint under our names.

    Attributes:
        state_dict: The tensors.
        meta: What MMEngine says about them, see ``Checkpoint``.
        report: What the conversion did; None for a file that needs none.
    """

    state_dict: dict[str, Tensor]
    meta: dict[str, Any]
    report: Report | None


@dataclass(frozen=True)
class Mismatch:
    """The keys that keep a checkpoint from filling a model.

    Attributes:
        missing: Keys of the model that the checkpoint lacks.
        unexpected: Keys of the checkpoint that the model lacks.
        reshaped: Keys of both whose shapes differ, as "key: checkpoint's shape, model's shape".
        num_keys: Number of the model's keys.
    """

    missing: list[str]
    unexpected: list[str]
    reshaped: list[str]
    num_keys: int

    @property
    def fills(self) -> bool:
        """Whether every parameter of the model is in the checkpoint."""
        return not self.missing and not self.reshaped

    @property
    def fills_most(self) -> bool:
        """Whether at least half of the model's parameters are in the checkpoint."""
        return len(self.missing) + len(self.reshaped) <= self.num_keys / 2

    def __str__(self) -> str:
        parts = [
            f'{len(keys)} {what} ({name_some(keys)})'
            for what, keys in (
                ('of another shape', self.reshaped),
                ('missing', self.missing),
                ('unexpected', self.unexpected),
            )
            if keys
        ]
        return f'of {self.num_keys} keys of the model: ' + ('; '.join(parts) or 'all match')


FITS = {
    'exactly': lambda mismatch: mismatch.fills and not mismatch.unexpected,
    'whole': lambda mismatch: mismatch.fills,
    'part': lambda mismatch: mismatch.fills_most and not mismatch.reshaped,
    'start': lambda mismatch: mismatch.fills_most,
}
"""How well a checkpoint must fit: no key too few or too many; every parameter is there; half of
them are, and none has another shape (initial weights); half of them are (a new classifier)."""


def read_weights(source: str | Path, task: str | None = None) -> Weights:
    """Read a checkpoint, named as for ``read_checkpoint``, and bring it under our names.

    Of a file with heads of several tasks, that of ``task`` is read.

    Raises:
        InputError: If the file cannot be had, executes code, or its layout is not as expected.
    """
    state_dict, meta = read_checkpoint(source)
    if not is_foreign(state_dict):
        return Weights(state_dict, meta, None)
    state_dict, report = to_ours(state_dict, task=task)
    return Weights(state_dict, meta, report)


def load_weights(
    module: nn.Module, state_dict: dict[str, Tensor], source: object, fit: str
) -> Mismatch:
    """Fill a module with a checkpoint's tensors under our names, unless too few of them fit.

    Tensors of another shape are left out, and the state dict is emptied, see ``fill``. ``fit`` is
    one of ``FITS``; the error calls the checkpoint ``source``.

    Raises:
        InputError: If the checkpoint does not fit, naming the keys.
    """
    mismatch = check_fit(module, state_dict, source, fit)
    for key, value in module.state_dict().items():
        if key in state_dict and _is_reshaped(key, state_dict[key], value):
            del state_dict[key]
    fill(module, state_dict)
    return mismatch


def check_fit(
    module: nn.Module, state_dict: Mapping[str, Tensor], source: object, fit: str
) -> Mismatch:
    """Check how well a checkpoint fits a module, without loading it, see ``load_weights``."""
    mismatch = compare(module, state_dict)
    if not FITS[fit](mismatch):
        raise InputError(
            f'checkpoint {source} does not fit the model ({type(module).__name__}): {mismatch}'
        )
    return mismatch


def compare(module: nn.Module, state_dict: Mapping[str, Tensor]) -> Mismatch:
    """Compare keys and shapes, without loading; BatchNorm's batch counters do not count."""
    own = {k: v for k, v in module.state_dict().items() if not k.endswith('num_batches_tracked')}
    return Mismatch(
        missing=[key for key in own if key not in state_dict],
        unexpected=[
            key for key in state_dict if key not in own and not key.endswith('num_batches_tracked')
        ],
        reshaped=[
            f'{key}: checkpoint {tuple(state_dict[key].shape)}, model {tuple(value.shape)}'
            for key, value in own.items()
            if key in state_dict and _is_reshaped(key, state_dict[key], value)
        ],
        num_keys=len(own),
    )


def _is_reshaped(key: str, theirs: Tensor, own: Tensor) -> bool:
    if key.endswith(RESIZED_WHEN_LOADED):
        return theirs.shape[-1] != own.shape[-1]
    return theirs.shape != own.shape
