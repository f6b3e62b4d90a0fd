"""Trainings by tools/train.py as children of a process that has imported everything.

Run as a program: reads one JSON line a training (argv, log, kill), answers with the process id and,
at its end, with the wait status.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


class Trainings:
    """Starts trainings one after the other."""

    def __init__(self):
        self.server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(REPO)},
        )

    def start(self, arguments, log, kill=None):
        """Start a training; give its process id.

        Args:
            arguments: Of tools/train.py.
            log: File for its output.
            kill: (what, number, when): kill -9 itself 'before', 'in' or 'after' the call of that
                number of 'write', 'fsync', 'replace' or 'remove'; None to leave it alone.
        """
        order = dict(arguments=[str(a) for a in arguments], log=str(log), kill=kill)
        self.server.stdin.write(json.dumps(order) + '\n')
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def wait(self):
        """Wait for its end; give the exit code, or minus the signal."""
        return os.waitstatus_to_exitcode(int(self.server.stdout.readline()))

    def close(self):
        self.server.stdin.close()
        self.server.wait()


def serve():
    import torch

    import mmdpt._openmmlab
    import mmdpt.training  # noqa: F401

    torch.set_num_threads(1)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(train(**order))
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


def train(arguments, log, kill):
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    if kill is not None:
        kill_at(*kill)
    sys.argv = ['train.py', *arguments]
    try:
        runpy.run_path(str(REPO / 'tools' / 'train.py'), run_name='__main__')
    except SystemExit as stop:
        return stop.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 70
    finally:
        sys.stdout.flush()
    return 0


def kill_at(what, number, when):
    """Let one call of the main process be its last."""
    from mmdpt.training.resume import checkpoint_files

    place = checkpoint_files._NotedFile if what == 'write' else os
    call, calls, main = getattr(place, what), [0], os.getpid()

    def counted(*args, **kwargs):
        calls[0] += os.getpid() == main
        last = os.getpid() == main and calls[0] == number
        if last and when == 'before':
            os.kill(main, signal.SIGKILL)
        if last and when == 'in' and what == 'write':
            file, data = args[0].file, memoryview(args[1])
            file.write(data[: len(data) // 2])
            file.flush()
            os.kill(main, signal.SIGKILL)
        result = call(*args, **kwargs)
        if last:
            os.kill(main, signal.SIGKILL)
        return result

    setattr(place, what, counted)


if __name__ == '__main__':
    serve()
