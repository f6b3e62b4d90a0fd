"""Start the process group where MMEngine cannot, watch its ranks, end it before the interpreter."""

import atexit
import gc
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from mmdpt.config.machine import TIMEOUT
from mmdpt.ranks.watch import RankWatch, accept, call, listen

_watches: list[RankWatch] = []  # of the one process group there is


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


def watch_ranks(timeout: float = TIMEOUT) -> None:
    """Let this process end when another rank is lost (see ``RankWatch``); all ranks call it.

    Args:
        timeout: How long a rank may give no sign of life [s].
    """
    if _watches or not (dist.is_available() and dist.is_initialized()):
        return
    rank, world_size = dist.get_rank(), dist.get_world_size()
    host = os.environ.get('MASTER_ADDR', '127.0.0.1')
    listener = listen(host) if rank == 0 else None
    meeting: list[Any] = [listener and listener.getsockname()[1], secrets.token_bytes(16)]
    dist.broadcast_object_list(meeting)
    port, token = meeting
    if listener is not None:
        peers = accept(listener, world_size, token, timeout)
    else:
        peers = call((host, port), token, rank, timeout)
    _watches.append(RankWatch(rank, world_size, peers, timeout))
    atexit.register(_leave)


@contextmanager
def ranks_together() -> Iterator[None]:
    """End the process group after a block; an error in it is told to the other ranks.

    Where the error is that another rank was lost, this process ends without it: the rank is named
    instead (see ``RankWatch``).
    """
    try:
        yield
    except BaseException as error:
        if _watches and _of_communication(error):
            _watches[0].wait_for_verdict()
        _leave(failed=not (isinstance(error, SystemExit) and not error.code))
        raise
    end_process_group()


def end_process_group() -> None:
    """End the process group, if there is one, once training or testing is over.

    Call it when no variable holds the runner any more. Gloo's threads keep tensors of the
    distributed model, which is part of reference cycles; a thread that lets go of them while the
    interpreter shuts down aborts the process (pytorch/pytorch#179291).
    """
    _leave()
    if dist.is_available() and dist.is_initialized():
        gc.collect()
        dist.destroy_process_group()


def _leave(failed: bool = False) -> None:
    while _watches:
        _watches.pop().leave(failed)


def _of_communication(error: BaseException) -> bool:
    """Tell whether a collective failed; gloo's errors have no class of their own."""
    return isinstance(error, dist.DistError) or 'gloo' in str(error)
