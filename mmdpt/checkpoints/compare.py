"""Compare a checkpoint with the model that it is meant for."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn as nn
from torch import Tensor

MAX_NAMED = 8
RESIZED_WHEN_LOADED = 'pos_embed'
"""The backbone interpolates this one, so that its length may differ."""


@dataclass(frozen=True)
class Mismatch:
    """Keys that keep a checkpoint from filling a model.

    Attributes:
        missing: Keys of the model that the checkpoint lacks.
        unexpected: Keys of the checkpoint that the model lacks.
        reshaped: Keys of both with other shapes, as "key: checkpoint's shape, model's shape".
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


def leave_out_reshaped(module: nn.Module, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors without those that the module has in another shape: a new classifier's."""
    own = module.state_dict()
    return {
        key: value
        for key, value in state_dict.items()
        if key not in own or not _is_reshaped(key, value, own[key])
    }


def _is_reshaped(key: str, theirs: Tensor, own: Tensor) -> bool:
    if key.endswith(RESIZED_WHEN_LOADED):
        return theirs.shape[-1] != own.shape[-1]
    return theirs.shape != own.shape


def name_some(keys: list[str]) -> str:
    """Name the first keys and count the others."""
    more = f', and {len(keys) - MAX_NAMED} more' if len(keys) > MAX_NAMED else ''
    return ', '.join(keys[:MAX_NAMED]) + more
