"""Run a tool as its own process, with its progress on one line and its output in a file."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROGRESS = re.compile(r'Iter\((\w+)\) +\[ *(\d+)/(\d+)\].*?eta: (\S+)')


def run_tool(tool: Path, log: Path, *arguments: object) -> Iterator[str]:
    """Run a tool, yield its lines, show how far its training or test is on a terminal.

    The file ``log`` gets the lines, too.

    Raises:
        SystemExit: If the tool fails, with the end of its output on stderr.
    """
    starter = 'bash' if tool.suffix == '.sh' else sys.executable
    command = [starter, str(tool), *map(str, arguments)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open('w', buffering=1) as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, 'PYTHON': sys.executable},
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            _show_progress(line)
            yield line
    show_on_one_line('')
    if process.returncode != 0:
        print(*log.read_text().splitlines()[-20:], sep='\n', file=sys.stderr)
        sys.exit(f'error: {tool.name} failed; its output is in {log}')


def _show_progress(line: str) -> None:
    if found := PROGRESS.search(line):
        phase, done, total, eta = found.groups()
        loss = re.search(r' loss: ([\d.]+)', line)
        text = f'{phase} {done}/{total}, {eta} left' + (f', loss {loss[1]}' if loss else '')
        show_on_one_line(text)


def show_on_one_line(text: str) -> None:
    """Show how far something is, over what was shown before; only on a terminal."""
    if sys.stdout.isatty():
        print(f'\r  {text:60}', end='\r', flush=True)
