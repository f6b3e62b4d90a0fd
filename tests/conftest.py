"""What all tests share: two threads, the folder of real data, tools and a forbidden folder."""

import os
import runpy
import sys
import tempfile
from pathlib import Path

import pytest

# Before torch is imported, and inherited by the processes that tests start.
os.environ.setdefault('OMP_NUM_THREADS', str(min(2, os.cpu_count() or 1)))

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def data_root() -> Path:
    """Folder with small pieces of real public data sets; the test is skipped where it is absent."""
    named = os.environ.get('MMDPT_TEST_DATA')
    root = Path(named) if named else REPO.parent / 'shared' / 'data'
    if not root.is_dir():
        pytest.skip(f'no real data at {root}; set MMDPT_TEST_DATA to the folder that holds it')
    return root


@pytest.fixture
def call_tool(monkeypatch):
    """Run a tool in this process, give its exit code."""

    def call(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        try:
            runpy.run_path(str(REPO / 'tools' / tool), run_name='__main__')
        except SystemExit as stop:
            return stop.code
        return 0

    return call


@pytest.fixture
def forbidden_folder():
    """An empty folder in which nobody may write, root included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:  # whom permissions do not concern
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)
