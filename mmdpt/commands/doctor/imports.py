"""Whether the packages import: tried in a process of its own, which may end as it likes."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from .findings import Finding
from .packages import OWNERS, owners_of

MODULES = tuple(OWNERS)

MARK = 'mmdpt doctor: '
SCRIPT = f"""
import importlib, json, sys
if sys.path[:1] == ['']:
    del sys.path[0]  # the current folder, which a tool would not look into
for name in sys.argv[1:]:
    file = error = None
    try:
        file = importlib.import_module(name).__file__
    except BaseException as raised:
        error = f'{{type(raised).__name__}}: {{raised}}'
    print('\\n{MARK}' + json.dumps([name, file, error]), flush=True)
    if error is not None:
        break
"""
"""Imports modules up to the first that fails, after which nothing that follows can be trusted."""


class Attempt(NamedTuple):
    """What became of an import: the file it came from, or the error."""

    module: str
    file: str | None
    error: str | None


def try_imports(modules: Sequence[str]) -> Iterator[Attempt]:
    """Import modules one after the other, after a failure in a new process."""
    rest = list(modules)
    while rest:
        done = subprocess.run(
            [sys.executable, '-c', SCRIPT, *rest],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding='utf-8',
            errors='replace',
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
        attempts = [Attempt(*json.loads(line.removeprefix(MARK))) for line in lines]
        if len(attempts) < len(rest) and not (attempts and attempts[-1].error):
            error = f'importing it ends Python with code {done.returncode}'
            attempts.append(Attempt(rest[len(attempts)], None, error))
        yield from attempts
        rest = rest[len(attempts) :]


def check_imports(modules: Sequence[str] = MODULES) -> Iterator[Finding]:
    """Say of each module whether it imports, and whose it is."""
    failed: dict[str, str] = {}
    for attempt in try_imports(modules):
        name, error = attempt.module, attempt.error
        subject = f'import {name}'
        if error is None:
            yield check_origin(name, attempt.file)
        elif error in failed:
            yield Finding('wrong', subject, error, f'mend import {failed[error]} first')
        else:
            failed[error] = name
            yield Finding('wrong', subject, error, remedy_for(name, error))


def check_origin(module: str, file: str | None) -> Finding:
    """Compare where a module was imported from with where its distribution is installed."""
    subject, owners = f'import {module}', owners_of(module)
    if not owners:
        return Finding('note', subject, f'from {file}, which no installed package owns')
    distribution = metadata.distribution(owners[0])
    site = Path(str(distribution.locate_file(''))).resolve()
    inside = file is not None and Path(file).resolve().is_relative_to(site)
    if not inside and not _is_editable(distribution):
        text = f'from {file}, not from the installed {owners[0]} in {site}'
        return Finding('note', subject, text, 'unless meant, take its folder out of PYTHONPATH')
    return Finding('ok', subject, f'of {owners[0]} {distribution.version}')


def _is_editable(distribution: metadata.Distribution) -> bool:
    """Whether a package is imported from where its sources are (PEP 610)."""
    origin = json.loads(distribution.read_text('direct_url.json') or '{}')
    return bool(origin.get('dir_info', {}).get('editable'))


def remedy_for(module: str, error: str) -> str:
    """Say what mends an import that fails."""
    owner = (owners_of(module) or OWNERS[module])[0]
    if f"No module named '{module}'" in error:
        return f'pip install {owner}'
    if module == 'cv2' and '.so' in error:
        return (
            'pip uninstall opencv-python; '
            'pip install --force-reinstall --no-deps opencv-python-headless '
            '(or with the right to: apt install libgl1 libglib2.0-0)'
        )
    if module == 'torchvision':
        return 'install torch and torchvision together, from the same index, so that they match'
    return f'pip install --force-reinstall {owner}'
