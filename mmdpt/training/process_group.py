"""Start the process group where MMEngine cannot, and end it before the interpreter does."""

import gc
import os
from datetime import timedelta

import torch
import torch.distributed as dist

from mmdpt.config.machine import TIMEOUT


def start_process_group_without_cuda(launcher: str, timeout: float = TIMEOUT) -> None:
    """Start gloo before MMEngine does, whose launchers call ``torch.cuda.set_device``.

    Args:
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.
        timeout: How long a collective waits for a rank [s].
    """
    if launcher == 'none' or torch.cuda.is_available() or dist.is_initialized():
        return
    if launcher == 'slurm':
        os.environ.setdefault('RANK', os.environ['SLURM_PROCID'])
        os.environ.setdefault('WORLD_SIZE', os.environ['SLURM_NTASKS'])
        os.environ.setdefault('LOCAL_RANK', os.environ.get('SLURM_LOCALID', '0'))
    dist.init_process_group('gloo', timeout=timedelta(seconds=timeout))


def end_process_group() -> None:
    """End the process group, if there is one, once training or testing is over.

    Call it when no variable holds the runner any more. Gloo's threads keep tensors of the
    distributed model, which is part of reference cycles; a thread that lets go of them while the
    interpreter shuts down aborts the process (pytorch/pytorch#179291).
    """
    if dist.is_available() and dist.is_initialized():
        gc.collect()
        dist.destroy_process_group()
