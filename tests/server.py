"""Tools as children of one process that has imported everything.

Importing torch and the OpenMMLab packages costs 5 CPU seconds, a fork costs none. What a child sees
is what a user's process sees, but for the interpreter's own start, which a few tests of their own
look at (`test_start.py`).
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parents[1]


class Finished(NamedTuple):
    """What a tool left: its exit code, or minus the signal, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Running:
    """A tool that was started."""

    def __init__(self, server: 'Server', pid: int, folder: tempfile.TemporaryDirectory) -> None:
        self.pid = pid
        self._server, self._folder = server, folder

    def printed(self) -> str:
        """Give what it has written to standard output so far."""
        return Path(self._folder.name, 'stdout').read_text()

    def wait(self) -> Finished:
        """Wait for its end."""
        status = self._server.ask(wait=self.pid)
        folder = Path(self._folder.name)
        out, err = ((folder / name).read_text() for name in ('stdout', 'stderr'))
        self._folder.cleanup()
        return Finished(os.waitstatus_to_exitcode(status), out, err)


class Server:
    """The process that has imported everything; starts on first use."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None

    def start(self, tool: str, *arguments, cwd=None, before: str = '', **environment) -> Running:
        """Start a tool.

        Args:
            tool: Name of a Python file of ``tools/``, or the path of another.
            arguments: Of its command line.
            cwd: Its working directory.
            before: Python source that is executed before the tool.
            environment: Changes of the environment; None removes a variable.
        """
        folder = tempfile.TemporaryDirectory()
        order = dict(
            tool=str(REPO / 'tools' / tool),
            arguments=[str(argument) for argument in arguments],
            cwd=str(cwd or os.getcwd()),
            before=before,
            environment={**os.environ, **environment},
            folder=folder.name,
        )
        return Running(self, self.ask(start=order), folder)

    def run(self, tool: str, *arguments, **settings) -> Finished:
        """Start a tool, see ``start``, and wait for its end."""
        return self.start(tool, *arguments, **settings).wait()

    def ask(self, **order) -> int:
        """Send one order and read the number that answers it."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={
                    **os.environ,
                    'OMP_NUM_THREADS': '1',  # a pool of threads would not survive a fork
                    'MKL_CBWR': 'AUTO,STRICT',  # as tools set it before they import torch
                    'PYTHONPATH': os.pathsep.join([str(REPO), os.environ.get('PYTHONPATH', '')]),
                },
            )
        self._process.stdin.write(json.dumps(order) + '\n')
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f'the server of tools ended while it was asked for {order}'
        return int(answer)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()


def serve() -> None:
    import mmdpt.apis
    import mmdpt.commands.prediction.run
    import mmdpt.export
    import mmdpt.training  # noqa: F401

    gc.freeze()  # MMEngine's data sets collect garbage when built: not among all modules' objects
    for line in sys.stdin:
        order = json.loads(line)
        if 'wait' in order:
            answer = os.waitpid(order['wait'], 0)[1]
        elif (answer := os.fork()) == 0:
            run_child(**order['start'])
        print(answer, flush=True)


def run_child(tool, arguments, cwd, before, environment, folder) -> None:
    """Become the tool; never returns."""
    import atexit
    import multiprocessing.util
    import runpy
    import threading

    for descriptor, name in ((1, 'stdout'), (2, 'stderr')):
        os.dup2(os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code = 1
    try:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update({key: value for key, value in environment.items() if value is not None})
        sys.argv = [tool, *arguments]
        sys.path[0] = str(Path(tool).parent)
        exec(before, {})
        runpy.run_path(tool, run_name='__main__')
        code = 0
    except SystemExit as stop:
        code = exit_code(stop)
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        code = 130
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        # what the interpreter does at its end
        threading._shutdown()
        multiprocessing.util._exit_function()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def exit_code(stop: SystemExit) -> int:
    """Give the exit code that Python would end with, and print what it would print."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code
    print(stop.code, file=sys.stderr)
    return 1


if __name__ == '__main__':
    serve()
