"""MMEngine's optimiser wrappers, which skip updates that are not finite."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn as nn
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper as MMEngineAmpOptimWrapper
from mmengine.optim import OptimWrapper as MMEngineOptimWrapper
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.registry import OPTIM_WRAPPERS
from mmdpt.training.agreement import Agreement

GRAD_NORM = 'grad_norm'
"""MMEngine's name of the norm that it computes where it clips by it."""
SCALE_READ_EVERY = 64
"""Iterations after which the loss scale is looked at."""
LEAST_SCALE = 1e-4
"""Loss scale below which a training stops, as fairseq's ``min_loss_scale``."""


@OPTIM_WRAPPERS.register_module()
class OptimWrapper(MMEngineOptimWrapper):
    """MMEngine's wrapper, which checks that loss and gradient are finite before it updates.

    If ``NonFiniteHook`` sets ``leaves_out_nonfinite``, the wrapper makes no update with a loss or
    gradient that is NaN or infinite on any rank. With gradient accumulation, it drops the whole
    update. ``finding`` tells the hook. A gradient whose float32 norm overflows is not finite
    either; where gradients are clipped, the norm is the one used for clipping.
    """

    checks_gradient = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agreement = Agreement()
        self.leaves_out_nonfinite = False
        self._spoilt = False  # a loss since the last update was not finite
        self._norm: Tensor | float = 0.0

    @property
    def finding(self) -> str | None:
        """'loss' or 'gradient' if that was not finite in the last iteration; equal on all ranks.

        With CUDA and a fused optimiser, this is where the host waits for the gradient.
        """
        if not self.leaves_out_nonfinite:
            return None
        if self.agreement.nonfinite:
            return 'loss'
        return None if torch.isfinite(torch.as_tensor(self._norm)) else 'gradient'

    def update_params(
        self, loss: Tensor, step_kwargs: dict | None = None, zero_kwargs: dict | None = None
    ) -> None:
        """Accumulate the gradient, and update if an update is due and finite."""
        self._norm = 0.0
        self.agreement.begin(loss)
        self.backward(self.scale_loss(loss))
        self.agreement.end()
        self._spoilt |= self.agreement.nonfinite
        if not self.should_update():
            return
        if not (self._spoilt and self.leaves_out_nonfinite):
            self.step(**(step_kwargs or {}))
        self.zero_grad(**(zero_kwargs or {}))
        self._spoilt = False

    def step(self, **kwargs: Any) -> None:
        """Clip the gradient and update the weights, unless the gradient is not finite."""
        if not (self.leaves_out_nonfinite and self.checks_gradient):
            super().step(**kwargs)
            return
        self._norm = self._clipped_norm()
        fused = getattr(self.optimizer, '_step_supports_amp_scaling', False)
        if isinstance(self._norm, Tensor) and fused:
            # The optimiser reads the flag where it computes, as torch's GradScaler has it do
            # (torch/amp/grad_scaler.py, _maybe_opt_step): the host does not wait.
            self.optimizer.found_inf = (~torch.isfinite(self._norm)).float()
            try:
                self.optimizer.step(**kwargs)
            finally:
                del self.optimizer.found_inf
        elif torch.isfinite(torch.as_tensor(self._norm)):
            self.optimizer.step(**kwargs)

    def _clipped_norm(self) -> Tensor | float:
        """Clip the gradient if configured, and give its norm before clipping."""
        if self.clip_grad_kwargs and self.grad_name == GRAD_NORM:
            self._clip_grad()  # reads the norm for the log, so that the host has it
            return self.message_hub.get_scalar(f'train/{GRAD_NORM}').current()
        gradients = [
            parameter.grad
            for group in self.optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None
        ]
        if not gradients:
            return 0.0
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        if self.clip_grad_kwargs:
            self._clip_grad()
        return norm


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(OptimWrapper, MMEngineAmpOptimWrapper):
    """MMEngine's mixed precision in float16 with loss scaling, for CUDA.

    Its GradScaler checks the gradients: it needs infinite ones to find the scale. Where all of them
    are, it would halve the scale to 0 and make no update any more.

    Raises:
        InputError: In ``step``, if the scale falls below ``LEAST_SCALE``.
    """

    checks_gradient = False

    def step(self, **kwargs: Any) -> None:
        """Update the weights unless the scaled gradient is infinite, and adapt the scale."""
        super().step(**kwargs)
        if self._inner_count % SCALE_READ_EVERY:  # reading it waits for the GPU
            return
        scale = self.loss_scaler.get_scale()
        if scale < LEAST_SCALE:
            raise InputError(
                f'the loss scale fell to {scale:g}: the gradients are infinite in float16 at every '
                "scale. Train with optim_wrapper.type='Bf16OptimWrapper', a lower learning rate or "
                'optim_wrapper.clip_grad'
            )


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """Run the forward pass under bfloat16 autocast if the machine computes bfloat16.

    bfloat16 has the range of float32, so no loss scaling is needed. Weights, gradients and the
    optimiser stay in float32. A machine that would only emulate bfloat16 uses float32.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.enabled = computes_bfloat16()
        if not self.enabled:
            print_log('this machine has no bfloat16 arithmetic: training in float32', 'current')

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast the forward pass; accumulate gradients as the base class does."""
        device = next(model.parameters()).device.type
        with (
            super().optim_context(model),
            torch.autocast(device, dtype=torch.bfloat16, enabled=self.enabled),
        ):
            yield


def computes_bfloat16() -> bool:
    """Tell whether the device multiplies bfloat16 natively."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # torch < 2.6 cannot tell; float32 is always right
    return getattr(torch.cpu, '_is_avx512_bf16_supported', lambda: False)()
