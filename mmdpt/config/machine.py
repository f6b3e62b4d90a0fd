"""Fit a config to the machine: without CUDA use gloo and BatchNorm, not nccl and SyncBN."""

from collections.abc import Mapping

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from mmdpt.errors import InputError

from .parts import parts_of

TIMEOUT = 600.0
"""Default for how long a rank may keep the others waiting [s], as in nccl."""


def fit_config_to_machine(cfg: Config) -> None:
    """Change a config in place: with CUDA to pinned batches, else to what runs on the CPU.

    Pages of pinned memory are copied to the GPU without one more copy. What else changes is logged.
    """
    if torch.cuda.is_available():
        for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            if cfg.get(name):
                cfg[name].setdefault('pin_memory', True)
        return
    changes = ['no CUDA: running on the CPU']
    if use_batch_norm_without_cuda(cfg):
        changes.append('BN for SyncBN')
    if cfg.get('launcher', 'none') != 'none':
        cfg.setdefault('env_cfg', {})['dist_cfg'] = dict(backend='gloo', timeout=timeout_of(cfg))
        cfg.setdefault('model_wrapper_cfg', dict(type='MMDistributedDataParallel'))
        if cfg.model_wrapper_cfg.type == 'MMDistributedDataParallel':
            # MMEngine would give some, which a model on the CPU must not have
            cfg.model_wrapper_cfg.device_ids = None
        changes.append('gloo for nccl')
    if cfg.get('optim_wrapper', {}).get('type') == 'AmpOptimWrapper':
        cfg.optim_wrapper.type = 'Bf16OptimWrapper'
        cfg.optim_wrapper.pop('loss_scale', None)
        changes.append('bfloat16 autocast for float16')
    if is_main_process():
        print_log(', '.join(changes), logger='current')


def timeout_of(cfg: Mapping) -> float:
    """Give ``env_cfg.dist_cfg.timeout`` of a config, how long a rank may keep others waiting [s].

    Raises:
        InputError: If it is no number above 0.
    """
    timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', TIMEOUT)
    if not isinstance(timeout, (int, float)) or not timeout > 0:
        raise InputError(f'env_cfg.dist_cfg.timeout must be seconds above 0, got {timeout!r}')
    return timeout


def use_batch_norm_without_cuda(cfg: Config) -> bool:
    """Without CUDA replace SyncBN, which needs it; tell whether anything was replaced."""
    if torch.cuda.is_available():
        return False
    parts = [part for part in parts_of(cfg._cfg_dict) if isinstance(part, dict)]
    replaced = [part for part in parts if part.get('type') == 'SyncBN']
    for part in replaced:
        part['type'] = 'BN'
    return bool(replaced)
