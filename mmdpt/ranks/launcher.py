"""Start a tool once for each device of this machine; say in one line which rank ended the run.

``python -m mmdpt.ranks.launcher N TOOL [arguments]``; on several machines also with NNODES,
NODE_RANK, MASTER_ADDR and PORT in the environment. The processes get torchrun's variables. Unlike
torchrun it passes signals on and waits as long as the answer takes, where torchrun kills after 30 s
what may still be saving; it ends with 0 if all processes do, and prints no traceback of its own.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

GRACE = 20.0
"""How long the others may take to end by themselves once a rank has failed [s]."""
TERMINATION = 10.0
"""How long they may then take after SIGTERM, before SIGKILL [s]."""
POLL = 0.1  # [s]
ANOTHER_LOST = 75
"""Exit code of a rank that ends because another one did; EX_TEMPFAIL of sysexits.h."""
LAUNCHER = 'MMDPT_LAUNCHER'
"""Environment variable that tells the processes the launcher's process number."""
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Launch:
    """The processes of this machine, started.

    Args:
        processes: How many.
        tool: Python file that each of them runs.
        arguments: Of its command line.
    """

    def __init__(self, processes: int, tool: str, arguments: Sequence[str]) -> None:
        nodes = int(os.environ.get('NNODES', '1'))
        self.tool = Path(tool).name
        self.world_size = nodes * processes
        self.first_rank = processes * int(os.environ.get('NODE_RANK', '0'))
        self.failures: list[tuple[int, int]] = []  # rank and exit code, in the order noticed
        self.passed_on: signal.Signals | None = None
        self.workers: dict[int, subprocess.Popen] = {}
        for number in PASSED_ON:
            signal.signal(number, self._pass_on)
        environment = {
            'OMP_NUM_THREADS': '1',  # torchrun's, where nothing is set
            'MASTER_ADDR': '127.0.0.1',
            **os.environ,
            'MASTER_PORT': os.environ.get('PORT') or (free_port() if nodes == 1 else '29500'),
            'WORLD_SIZE': str(self.world_size),
            'LOCAL_WORLD_SIZE': str(processes),
            LAUNCHER: str(os.getpid()),
        }
        for local_rank in range(processes):
            rank = self.first_rank + local_rank
            self.workers[rank] = subprocess.Popen(
                [sys.executable, '-u', tool, *arguments],
                env={**environment, 'RANK': str(rank), 'LOCAL_RANK': str(local_rank)},
                start_new_session=True,  # Ctrl-C reaches each of them once, from here
            )

    def wait(self) -> int:
        """Wait until all processes have ended; after a failure the others have bounded time.

        Returns:
            Exit code: 0 if theirs are, else that of the rank which failed first, 128 + number if a
            signal ended it.
        """
        while self._poll() and not self.failures:
            time.sleep(POLL)
        self._wait(GRACE)
        failures = list(self.failures)  # of their own accord
        self._signal(signal.SIGTERM)
        self._wait(TERMINATION)
        self._signal(signal.SIGKILL)
        self._wait(TERMINATION)
        if not failures:
            return 0
        rank, code = next((each for each in failures if each[1] != ANOTHER_LOST), failures[0])
        if code < 0 or len({code for _, code in failures}) > 1 or len(failures) < len(self.workers):
            print(f'error: {self._message(rank, code)}', file=sys.stderr)
        return code if code > 0 else 128 - code

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self._poll() and time.monotonic() < end:
            time.sleep(POLL)

    def _poll(self) -> bool:
        """Note the processes that failed since; tell whether any is running."""
        known = {rank for rank, _ in self.failures}
        codes = {rank: worker.poll() for rank, worker in self.workers.items()}
        new = [(rank, code) for rank, code in codes.items() if code and rank not in known]
        self.failures += sorted(new, key=lambda failure: failure[1])  # signals are negative
        return None in codes.values()

    def _signal(self, number: signal.Signals) -> None:
        for worker in self.workers.values():
            if worker.poll() is None:
                worker.send_signal(number)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self.passed_on = signal.Signals(number)
        self._signal(self.passed_on)

    def _message(self, rank: int, code: int) -> str:
        if self.passed_on is not None and code == -self.passed_on:
            return f'stopped by {self.passed_on.name}'
        who = f'rank {rank} of {self.world_size} (process {self.workers[rank].pid})'
        if code == -signal.SIGKILL:
            what = f'{who} was killed by SIGKILL, as the system does when memory is short'
        elif code < 0:
            what = f'{who} was ended by {signal.Signals(-code).name}'
        elif code == ANOTHER_LOST:
            what = 'another rank was lost, as rank 0 says'
        else:
            return f'{who} ended with exit code {code}; its message is above'
        ended = '' if self.world_size == 1 else '; the others ended, too'
        advice = '. The same command with --resume goes on' if self.tool == 'train.py' else ''
        return what + ended + advice


def free_port() -> str:
    """Give a TCP port of this machine that nobody uses.

    It is below those that systems give to outgoing connections: rank 0 takes it seconds later.
    """
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(('', port))
            return str(port)


def main() -> int:
    """Run the command line."""
    if len(sys.argv) < 3 or not sys.argv[1].isdecimal() or sys.argv[1] == '0':
        print('usage: python -m mmdpt.ranks.launcher N TOOL [arguments]', file=sys.stderr)
        return 2
    return Launch(int(sys.argv[1]), sys.argv[2], sys.argv[3:]).wait()


if __name__ == '__main__':
    sys.exit(main())
