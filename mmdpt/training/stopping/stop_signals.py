"""Signals that ask a training to save and end."""

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from torch.utils.data import DataLoader

from mmdpt.training.agreement import Agreement

STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""SIGTERM: what clusters send before SIGKILL; SIGUSR1: the one to ask Slurm for (--signal)."""

SAME_SIGNAL = 2.0
"""Time [s] in which a further signal counts as the first: launcher and cluster may both send it."""


class StopSignals:
    """Note the first signal for an agreement; a second ends the process as if nothing caught it."""

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self._first = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def catch(self) -> bool:
        """Catch the signals, and return True; in other threads than the main one, return False."""
        if threading.current_thread() is not threading.main_thread():
            return False
        self._before = {number: signal.signal(number, self._received) for number in STOP_SIGNALS}
        return True

    def release(self) -> None:
        """Restore the previous handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _received(self, number: int, frame: FrameType | None) -> None:
        if not self.agreement.stop_here:
            self.agreement.stop_here, self._first = number, time.monotonic()
        elif time.monotonic() - self._first > SAME_SIGNAL:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def leave_signals_to_main_process(loader: DataLoader) -> None:
    """Let the workers of a data loader ignore signals that are meant for the main process.

    Slurm signals whole process groups. A worker that SIGTERM ended would end the training.
    """
    loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)


def _start_worker(worker_init_fn: Callable[[int], Any] | None, worker_id: int) -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if hasattr(signal, 'sigwaitinfo'):  # Linux
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_at_parents_word, daemon=True).start()
    if worker_init_fn is not None:
        worker_init_fn(worker_id)


def _end_at_parents_word() -> None:
    """End on the main process's SIGTERM, by which it ends its workers, and on nobody else's."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
