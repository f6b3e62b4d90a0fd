"""What all tests share: threads, tools, scenes, real data, numbers of cases, a table."""

import gc
import os
import re
import runpy
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before torch is imported, and inherited by the processes that tests start: two workers run them.
os.environ.setdefault('OMP_NUM_THREADS', '1')

from server import REPO, Finished, Running, Server, exit_code

# Quick: the same cases every time. Long: others every time; a failure prints what repeats it.
COMMON = dict(
    deadline=None,  # the machine may be busy
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.register_profile('quick', max_examples=8, derandomize=True, **COMMON)
settings.register_profile('long', max_examples=250, print_blob=True, **COMMON)
settings.load_profile('quick')  # --hypothesis-profile=long comes after it


@pytest.fixture
def record(record_property):
    """Add a line to the table that ends a run: what was tried, how much, and its result."""
    return lambda *line: record_property('tried', line)


def pytest_collection_finish():
    """MMEngine's data sets collect garbage when built: not among all modules' objects."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Count the cases that hypothesis generated and did not assume away."""
    if call.when == 'call' and (statistics := getattr(item, 'hypothesis_statistics', '')):
        cases = sum(map(int, re.findall(r'(\d+) passing', statistics)))
        item.user_properties.append(('cases', cases))
    return (yield)


def pytest_terminal_summary(terminalreporter):
    """Write the table; the reports come from several processes."""
    lines, cases = [], Counter()
    for report in terminalreporter.getreports('passed'):
        file = report.nodeid.partition('::')[0].rpartition('/')[2]
        for name, value in report.user_properties if report.when == 'call' else ():
            if name == 'tried':
                lines.append(value)
            if name == 'cases':
                cases[file] += value
    for file, number in cases.items():
        if not any(file in report.nodeid for report in terminalreporter.getreports('failed')):
            lines.append((f'properties, {file}', f'{number:,} generated cases', 'all hold'))
    if lines:
        terminalreporter.section('faults')
        for row in (('what', 'tried', 'result'), ('---',) * 3, *sorted(map(tuple, lines))):
            terminalreporter.write_line(f'| {" | ".join(row)} |')


@pytest.fixture(scope='session')
def data_root() -> Path:
    """Folder with small pieces of real public data sets; the test is skipped where it is absent."""
    named = os.environ.get('MMDPT_TEST_DATA')
    root = Path(named) if named else REPO.parent / 'shared' / 'data'
    if not root.is_dir():
        pytest.skip(f'no real data at {root}; set MMDPT_TEST_DATA to the folder that holds it')
    return root


@pytest.fixture(scope='session')
def scenes(tmp_path_factory) -> Path:
    """Eight training and three validation scenes of 64 x 48 px."""
    from mmdpt.scenes import write_scenes

    root = tmp_path_factory.mktemp('scenes')
    write_scenes(root, num_train=8, num_val=3, size=(64, 48), workers=1)
    return root


@pytest.fixture(scope='session')
def written(tmp_path_factory):
    """Write the tiny config of a task, with more lines, and random weights; give both paths."""
    import tiny

    from mmdpt.apis import init_model

    folder = tmp_path_factory.mktemp('written')

    def write(task, more='', name='') -> tuple[str, str]:
        config = folder / f'{name or task}.py'
        checkpoint = config.with_suffix('.pth')
        if not checkpoint.is_file():
            tiny.write_config(folder, task, more=more, name=name)
            tiny.save(tiny.randomise(init_model(str(config))), checkpoint)
        return str(config), str(checkpoint)

    return write


@pytest.fixture
def forget_runs():
    """Forget what MMEngine keeps of a run for the whole process, as a new process has none."""

    def forget():
        from mmengine.logging import MessageHub, MMLogger
        from mmengine.registry import DefaultScope
        from mmengine.visualization import Visualizer
        from mmseg.visualization import SegLocalVisualizer

        for singletons in (MMLogger, MessageHub, Visualizer, SegLocalVisualizer, DefaultScope):
            singletons._instance_dict.clear()

    forget()
    yield forget
    forget()


@pytest.fixture
def call_tool(monkeypatch, forget_runs):
    """Run a tool in this process, give its exit code: the quickest way to an error message."""

    def call(tool, *arguments) -> int:
        forget_runs()
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        try:
            runpy.run_path(str(REPO / 'tools' / tool), run_name='__main__')
        except SystemExit as stop:
            return exit_code(stop)
        return 0

    return call


@pytest.fixture(scope='session')
def tools():
    """The server that runs tools as children, see ``server.Server``."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope='session')
def run_tool(tools):
    """Run a tool as a user does; give exit code and output. A shell script is a process anew."""

    def run(tool, *arguments, cwd=None, **environment) -> Finished:
        if tool.endswith('.py'):
            return tools.run(tool, *arguments, cwd=cwd, **environment)
        done = subprocess.run(
            [str(REPO / 'tools' / tool), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, 'PYTHON': sys.executable, **environment},
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope='session')
def start_ranks(tools):
    """Start a tool or a program as several ranks, as torchrun would, but forked from one."""

    def start(number, tool, *arguments, **settings) -> list[Running]:
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = str(free.getsockname()[1])
        meeting = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=port, WORLD_SIZE=str(number))
        return [
            tools.start(tool, *arguments, **meeting, RANK=rank, LOCAL_RANK=rank, **settings)
            for rank in map(str, range(number))
        ]

    return start


@pytest.fixture(scope='session')
def run_ranks(start_ranks):
    """Run a tool or a program as several ranks; give what each left."""
    return lambda *order, **settings: [rank.wait() for rank in start_ranks(*order, **settings)]


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
