"""What one rank notices in an iteration, known to all of them."""

import math

import torch
import torch.distributed as dist
from torch import Tensor

LOSS = 0
"""Place of the loss's flag in what is sent; the number of the signal follows."""


class Agreement:
    """Tell all ranks, once an iteration, of a loss that is not finite and of a signal to stop.

    On one process nothing is sent. On several, one all-reduce (maximum) of two numbers goes on
    while the backward pass runs: ``begin`` before it, ``end`` after it. With CUDA the numbers are
    copied to the host in the same way, so that ``end`` waits for the forward pass, which is over
    by then, and not for what was queued after it.
    """

    def __init__(self) -> None:
        self.stop_here = 0
        """Number of the signal that this rank received; 0 for none."""
        self.stop = 0
        """Number of the signal that any rank received; 0 for none."""
        self.nonfinite_here = False
        """Whether this rank's loss was NaN or infinite."""
        self.nonfinite = False
        """Whether any rank's was."""
        self._here: Tensor | None = None
        self._all: Tensor | None = None
        self._work: dist.Work | None = None
        self._copied: torch.cuda.Event | None = None

    def begin(self, loss: Tensor) -> None:
        """Start to tell the others.

        Args:
            loss: Of this rank and iteration, a scalar.
        """
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
            if self._work is not None:
                self._work.wait()  # nccl: the stream waits, this process goes on
                self._work = None
            on_host = torch.empty(2, pin_memory=True)
            self._all = on_host.copy_(self._all, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record()

    def end(self) -> None:
        """Wait for what the others say."""
        if self._all is None or self._here is None:
            return
        if self._work is not None:
            self._work.wait()
        if self._copied is not None:
            self._copied.synchronize()
        nonfinite, stop = self._all.tolist()
        self.nonfinite, self.stop = bool(nonfinite), int(stop)
        self.nonfinite_here = self.nonfinite and bool(self._here[LOSS])
        self._here = self._all = self._work = self._copied = None

    def stop_now(self) -> int:
        """Agree on the signal alone, outside a training step; waits for all ranks."""
        self.stop = self.stop_here
        if _world_size() > 1:
            stop = torch.tensor(self.stop_here, device=_device())
            dist.all_reduce(stop, dist.ReduceOp.MAX)
            self.stop = int(stop)
        return self.stop

    @staticmethod
    def least(number: int) -> int:
        """Give the least of the ranks' numbers; waits for all ranks."""
        if _world_size() == 1:
            return number
        least = torch.tensor(number, device=_device())
        dist.all_reduce(least, dist.ReduceOp.MIN)
        return int(least)


def _world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _device() -> torch.device:
    """Where ranks exchange numbers: nccl does so on the device, gloo on the host."""
    if 'nccl' in dist.get_backend():
        return torch.device('cuda', torch.cuda.current_device())
    return torch.device('cpu')
