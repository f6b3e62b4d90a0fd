"""Let all ranks know what one of them notices in an iteration."""

import math

import torch
import torch.distributed as dist
from torch import Tensor

LOSS = 0
"""Index of the loss's flag in the message. The number of the signal is at index 1."""


class Agreement:
    """Tell all ranks, once an iteration, of a loss that is not finite and of a signal to stop.

    One process sends nothing. Several all-reduce two numbers (maximum) during the backward pass:
    call ``begin`` before it and ``end`` after it. With CUDA the numbers are copied to the host in
    the same time, so ``end`` waits for the forward pass, which is over by then, and for no more.
    """

    def __init__(self) -> None:
        self.stop_here = 0
        """Number of the signal that this rank received, or 0."""
        self.stop = 0
        """Number of the signal that any rank received, or 0."""
        self.nonfinite_here = False
        """Whether this rank's loss was NaN or infinite."""
        self.nonfinite = False
        """Whether any rank's loss was NaN or infinite."""
        self._here: Tensor | None = None
        self._all: Tensor | None = None
        self._work: dist.Work | None = None
        self._copied: torch.cuda.Event | None = None
        self._side: torch.cuda.Stream | None = None
        self._on_device: Tensor | None = None

    def begin(self, loss: Tensor) -> None:
        """Start the exchange with this rank's loss in this iteration, a scalar."""
        loss = loss.detach()
        several = _world_size() > 1
        if not several and not loss.is_cuda:
            self.nonfinite_here = self.nonfinite = not math.isfinite(loss)
            self.stop = self.stop_here
            return
        device = _device() if several else loss.device
        self._here = torch.full((2,), float(self.stop_here), device=device)
        self._here[LOSS] = ~torch.isfinite(loss)
        self._all = self._here.clone()
        if several:
            self._work = dist.all_reduce(self._all, dist.ReduceOp.MAX, async_op=True)
        if device.type == 'cuda':
            self._on_device = self._all  # until it is copied
            self._side = self._side or torch.cuda.Stream()
            self._side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._side):  # so that the backward pass does not wait
                if self._work is not None:
                    self._work.wait()  # nccl: the side stream waits, not this process
                    self._work = None
                on_host = torch.empty(2, pin_memory=True)
                self._all = on_host.copy_(self._all, non_blocking=True)
                self._copied = torch.cuda.Event()
                self._copied.record()

    def end(self) -> None:
        """Wait for the exchange to end."""
        if self._all is None or self._here is None:
            return
        if self._work is not None:
            self._work.wait()
        if self._copied is not None:
            self._copied.synchronize()
        nonfinite, stop = self._all.tolist()
        self.nonfinite, self.stop = bool(nonfinite), int(stop)
        self.nonfinite_here = self.nonfinite and bool(self._here[LOSS])
        self._here = self._all = self._on_device = self._work = self._copied = None

    def stop_now(self) -> int:
        """Agree on the signal outside a training step. Waits for all ranks."""
        self.stop = self.stop_here
        if _world_size() > 1:
            stop = torch.tensor(self.stop_here, device=_device())
            dist.all_reduce(stop, dist.ReduceOp.MAX)
            self.stop = int(stop)
        return self.stop

    @staticmethod
    def least(number: int) -> int:
        """Give the smallest of the ranks' numbers. Waits for all ranks."""
        if _world_size() == 1:
            return number
        least = torch.tensor(number, device=_device())
        dist.all_reduce(least, dist.ReduceOp.MIN)
        return int(least)


def _world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _device() -> torch.device:
    """Give the device on which ranks exchange numbers: nccl's is the GPU, gloo's the CPU."""
    if 'nccl' in dist.get_backend():
        return torch.device('cuda', torch.cuda.current_device())
    return torch.device('cpu')
