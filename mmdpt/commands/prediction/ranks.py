"""Several processes that share the images of one run, on one machine or more."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch.distributed as torch_dist
from mmengine.dist import all_gather_object, get_dist_info, init_dist

from mmdpt.errors import InputError
from mmdpt.training.process_group import end_process_group, start_process_group_without_cuda

T = TypeVar('T')
WEEK = 7 * 24 * 3600
"""How long a process waits for the others at the end [s]: their images may be larger."""


@contextmanager
def meet(launcher: str) -> Iterator[None]:
    """Join the processes that a launcher, such as 'slurm', started; 'none' is this one alone.

    They exchange file names and counts, by gloo.

    Raises:
        InputError: If the launcher did not start this process.
    """
    if launcher == 'none':
        yield
        return
    try:
        start_process_group_without_cuda(launcher, WEEK)
        if not torch_dist.is_initialized():
            init_dist(launcher, backend='gloo', timeout=WEEK)
    except (KeyError, ValueError) as error:
        raise InputError(
            f'--launcher {launcher} is for a process that it starts, by torchrun, srun or mpirun: '
            f'{error}'
        ) from error
    try:
        yield
    finally:
        end_process_group()


def share(items: Sequence[T], is_done: Callable[[T], bool]) -> list[T]:
    """Give this process its share of the items that are not done yet.

    Every process looks at some, then all of them divide what is left: what one process did not
    get to is not left to one process again.
    """
    rank, number = get_dist_info()
    left = [index for index in range(rank, len(items), number) if not is_done(items[index])]
    all_left = sorted(index for part in all_ranks(left) for index in part)
    return [items[index] for index in all_left[rank::number]]


def all_ranks(value: T) -> list[T]:
    """Give the values of all processes, in the order of their ranks.

    Raises:
        InputError: If a process is lost.
    """
    try:
        return all_gather_object(value)
    except RuntimeError as error:
        raise InputError(
            f'another process was lost; --resume does what is left: {error}'
        ) from error
