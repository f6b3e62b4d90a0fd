"""The runner whose training has a part of weights, gradients and optimiser on each rank."""

import math
from typing import Any

import torch
import torch.nn as nn
from mmengine.device import get_device
from mmengine.dist import broadcast_object_list
from mmengine.optim import BaseOptimWrapper

from mmdpt.errors import InputError
from mmdpt.registry import RUNNERS
from mmdpt.training.resume.checkpoint_files import is_local

from .runner import Runner
from .sharding import shard, whole_moments, whole_weights

WRAPPER = 'MMFullyShardedDataParallel'


@RUNNERS.register_module()
class ShardedRunner(Runner):
    """``Runner`` with fully sharded data parallelism (FSDP, arXiv:2304.11277).

    Weights and optimiser are built, loaded and resumed whole, on the CPU, as ``Runner`` does, and
    sharded where the training begins; checkpoints are put together again. So a training may go on
    with or without sharding, on any number of processes. Tests, and one process, do without.

    ``model_wrapper_cfg`` holds MMEngine's arguments of ``MMFullyShardedDataParallel``.

    Raises:
        InputError: If it is not, or ``clip_grad`` clips by another measure than the norm.
    """

    model: Any
    sharded: Any = None

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Leave the model whole, and where it is, on several processes."""
        if not self.distributed:
            return super().wrap_model(model_wrapper_cfg, model)
        self._wrapper = dict(model_wrapper_cfg or {})
        if self._wrapper.get('type') != WRAPPER or not self._wrapper.get('use_orig_params', True):
            raise InputError(
                f'{type(self).__name__} needs model_wrapper_cfg of type {WRAPPER}, with '
                f'use_orig_params, got {self._wrapper}'
            )
        return model

    def build_optim_wrapper(self, optim_wrapper: Any) -> BaseOptimWrapper:
        """Build it so that it clips and checks the norm of all ranks' parts."""
        if self.distributed and isinstance(optim_wrapper, dict):
            if optim_wrapper.get('type') == 'AmpOptimWrapper':
                optim_wrapper.setdefault('use_fsdp', True)
            clip = optim_wrapper.get('clip_grad') or dict(max_norm=math.inf)
            if clip.get('type', 'norm') != 'norm':
                raise InputError(f'FSDP clips gradients by their norm, got clip_grad={clip}')
            optim_wrapper['clip_grad'] = clip
        return super().build_optim_wrapper(optim_wrapper)

    def load_or_resume(self) -> None:
        """Load whole weights and states, then shard them."""
        super().load_or_resume()
        if not self.distributed or self.sharded is not None:
            return
        device = torch.device(get_device())
        if not isinstance(self.optim_wrapper, BaseOptimWrapper):  # a test
            self.model = self.model.to(device)
            return
        wrapper = self.optim_wrapper
        whole = _count(self.model)
        self.model = self.sharded = shard(self.model, wrapper.optimizer, self._wrapper, device)
        wrapper.clip_func = lambda _, **norm: self.sharded.clip_grad_norm_(**norm)
        own = _count(self.model)
        self.logger.info(f'sharded: rank 0 has {own} of {whole} numbers of the weights')

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        **kwargs: Any,
    ) -> None:
        """Put the states together and let rank 0 write them; all ranks call it.

        Raises:
            InputError: On all ranks, if rank 0 cannot write; if ``out_dir`` is an address.
        """
        if self.sharded is None:
            super().save_checkpoint(out_dir, filename, file_client_args, save_optimizer, **kwargs)
            return
        if not is_local(out_dir):
            raise InputError(f'checkpoints of a sharded training go into a folder, got {out_dir}')
        self._weights = whole_weights(self.sharded)
        if save_optimizer:
            self._moments = whole_moments(self.sharded, self.optim_wrapper.optimizer)
        failure: list[Any] = [None, None]
        try:
            super().save_checkpoint(out_dir, filename, file_client_args, save_optimizer, **kwargs)
        except InputError as error:
            failure = [error, error.__cause__]
        self._weights, self._moments = {}, {}
        broadcast_object_list(failure)
        if failure[0] is not None:
            raise failure[0] from failure[1]

    def states(self, optimizer: bool) -> tuple[dict, dict | None]:
        """Give the states that were put together."""
        if self.sharded is None:
            return super().states(optimizer)
        if not optimizer:
            return self._weights, None
        return self._weights, {**self.optim_wrapper.state_dict(), 'state': self._moments}


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
