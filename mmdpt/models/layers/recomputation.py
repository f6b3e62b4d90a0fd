"""Compute something again in the backward pass, instead of keeping what it needs there."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

DEVICES = {'cpu'}
"""Kinds of device on which this is the default: those where the time that it takes is measured.

Its own overhead is 0.55 ms of a core for each call, whatever is computed."""


def call(function: Callable[[Tensor], Tensor], x: Tensor, recompute: bool | None = None) -> Tensor:
    """Call a function without random numbers.

    Args:
        function: It keeps nothing but ``x`` for its backward pass, if it is computed again.
        x: Its argument.
        recompute: Whether to compute it again; None: on ``DEVICES``.
    """
    if recompute is None:
        recompute = x.device.type in DEVICES
    if not (recompute and torch.is_grad_enabled()):
        return function(x)
    return checkpoint(
        function, x, use_reentrant=False, preserve_rng_state=False, determinism_check='none'
    )
