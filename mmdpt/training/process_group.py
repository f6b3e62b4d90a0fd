"""Start the process group where MMEngine cannot, and end it before the interpreter does."""

import gc
import os
from datetime import timedelta

import torch
import torch.distributed as dist

from mmdpt.config.machine import TIMEOUT

VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}
"""Where each launcher says a process's rank, their number, and the rank on its machine."""


def start_process_group_without_cuda(launcher: str, timeout: float = TIMEOUT) -> None:
    """Start gloo before MMEngine does, whose launchers call ``torch.cuda.set_device``.

    A collective waits ``timeout`` [s] for a rank.
    """
    if launcher == 'none' or torch.cuda.is_available() or dist.is_initialized():
        return
    for name, source in zip(VARIABLES['pytorch'], VARIABLES[launcher], strict=True):
        if source in os.environ:
            os.environ.setdefault(name, os.environ[source])
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
