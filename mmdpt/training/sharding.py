"""Shard a model and its optimiser over the ranks (FSDP), and put both together again.

Weights and states are as one process has them before ``shard`` and in what ``whole_weights`` and
``whole_moments`` give, so that checkpoints of sharded and of other trainings are alike.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn as nn
from mmengine.model import BaseDataPreprocessor
from mmengine.registry import MODEL_WRAPPERS
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict
from torch.distributed.fsdp import (
    FullOptimStateDictConfig,
    FullStateDictConfig,
    FullyShardedDataParallel,
    StateDictType,
)
from torch.optim import Optimizer

from mmdpt.registry import FUNCTIONS


@FUNCTIONS.register_module()
def encoder_layers(module: nn.Module, recurse: bool, nonwrapped_numel: int) -> bool:
    """Make a unit of FSDP of every layer of the encoder; what is around them is one more.

    Nothing inside the head can be one: the readout projection reads a layer's weight outside of
    that layer's call.

    Args:
        module: The module to decide about.
        recurse: Whether it is asked if there may be units inside the module.
        nonwrapped_numel: Parameters that are in no unit yet.
    """
    return recurse or isinstance(module, TransformerEncoderLayer)


def shard(
    model: nn.Module, optimizer: Optimizer, wrapper: Mapping[str, Any], device: torch.device
) -> FullyShardedDataParallel:
    """Shard a model over the ranks, whose weights must be equal, and its optimiser, in place.

    Args:
        model: The model, on the CPU or the device.
        optimizer: Its optimiser, whose state goes along.
        wrapper: Config of ``MMFullyShardedDataParallel``.
        device: Where this rank computes.
    """
    names: dict[Any, str] = {parameter: name for name, parameter in model.named_parameters()}
    groups = [
        {**group, 'params': [names[parameter] for parameter in group['params']]}
        for group in optimizer.param_groups
    ]
    states = {names[parameter]: state for parameter, state in optimizer.state.items()}
    for module in model.modules():
        if isinstance(module, BaseDataPreprocessor):  # remembers its device
            module.to(device)
    sharded = MODEL_WRAPPERS.build(dict(wrapper), default_args=dict(module=model, device_id=device))
    parameters = {_plain(name): parameter for name, parameter in sharded.named_parameters()}
    for group, named in zip(optimizer.param_groups, groups, strict=True):
        group['params'] = [parameters[name] for name in named['params']]
    optimizer.state.clear()
    if states:
        whole: Any = dict(state=states, param_groups=groups)
        options = StateDictOptions(full_state_dict=True)
        set_optimizer_state_dict(sharded, optimizer, whole, options=options)
    return sharded


def whole_weights(model: FullyShardedDataParallel) -> dict[str, Tensor]:
    """Put the weights together on rank 0, on the CPU; all ranks call it, the others get {}."""
    with _whole_on_rank_0(model):
        return model.state_dict()


def whole_moments(model: FullyShardedDataParallel, optimizer: Optimizer) -> dict[int, Any]:
    """Put together what an optimiser remembers of each parameter, by the parameter's number.

    On rank 0, on the CPU; all ranks call it, the others get {}.
    """
    names = {parameter: _plain(name) for name, parameter in model.named_parameters()}
    order = [names[value] for group in optimizer.param_groups for value in group['params']]
    state, groups = (optimizer.state_dict()[key] for key in ('state', 'param_groups'))
    whole: dict[int, Any] = {}
    # One kind at a time: on a CPU torch 2.14 gathers all of them into one buffer and returns views
    # of it (distributed/fsdp/_optim_utils.py, _allgather_orig_param_states).
    for kind in sorted({kind for moments in state.values() for kind in moments}):
        part = {number: {kind: moments[kind]} for number, moments in state.items()}
        with _whole_on_rank_0(model):
            found = FullyShardedDataParallel.optim_state_dict(
                model, optimizer, dict(state=part, param_groups=groups)
            )
        for number, name in enumerate(order):
            if name in found.get('state', {}):
                whole.setdefault(number, {}).update(found['state'][name])
    return whole


def _plain(name: str) -> str:
    return name.replace('_fsdp_wrapped_module.', '')


@contextmanager
def _whole_on_rank_0(model: FullyShardedDataParallel) -> Iterator[None]:
    """Let a model give its states as those of the whole."""
    options = dict(offload_to_cpu=True, rank0_only=True)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'FSDP.state_dict_type', FutureWarning)
        kinds = FullStateDictConfig(**options), FullOptimStateDictConfig(**options)
        with FullyShardedDataParallel.state_dict_type(model, StateDictType.FULL_STATE_DICT, *kinds):
            yield
