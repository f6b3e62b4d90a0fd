"""What starts fast imports little: neither torch nor the host packages before they are needed."""

import json
import runpy
import subprocess
import sys

import pytest
from tiny import REPO

from mmdpt.commands.cli import find_tools
from mmdpt.datasets.conversion import LAYOUTS

SLOW = {'torch', 'torchvision', 'mmengine', 'mmcv', 'mmseg', 'mmpretrain', 'cv2', 'matplotlib'}
MOST = 300
"""Modules; torch alone has over 1000."""
ASK = """
import json, os, runpy, sys
for command in json.loads(sys.argv[1]):
    if os.fork() == 0:
        sys.argv = command
        run = runpy.run_path if command[0].endswith('.py') else runpy.run_module
        try:
            run(command[0], run_name='__main__')
        except SystemExit as stop:
            print(json.dumps([stop.code or 0, list(sys.modules)]), end='\\0', flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope='module')
def helps():
    """What each command prints for --help and which modules it imports, each in a fork."""
    commands = [[str(path), '--help'] for path in find_tools().values()]
    commands += [[module, '--help'] for module in ('mmdpt', 'mmdpt.commands.cli')]
    commands += [['mmdpt', 'train', '--help']]
    done = subprocess.run(
        [sys.executable, '-c', ASK, json.dumps(commands)], capture_output=True, text=True, cwd=REPO
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = [answer.rpartition('\n') for answer in done.stdout.split('\0')[:-1]]
    return {
        ' '.join(command): (printed, *json.loads(answer))
        for command, (printed, _, answer) in zip(commands, said, strict=True)
    }


def assert_are_few(modules):
    assert 'encodings' in modules  # which every Python imports: the list is not of nothing
    assert not SLOW & set(modules)
    assert len(modules) <= MOST


def test_the_package_imports_little():
    ask = 'import mmdpt, sys; print(*sys.modules)'
    done = subprocess.run([sys.executable, '-c', ask], capture_output=True, text=True, cwd=REPO)
    modules = done.stdout.split()
    assert_are_few(modules)
    assert {name for name in modules if name.startswith('mmdpt')} == {'mmdpt', 'mmdpt.version'}


def test_every_help_imports_little(helps):
    assert len(helps) > 20
    for command, (printed, code, modules) in helps.items():
        assert code == 0 and printed.startswith('usage: '), command
        assert_are_few(modules)
        assert 'numpy' not in modules or command.endswith('.py --help')


def test_the_sets_that_the_help_names_are_those_that_are_converted():
    """They stand in the tool, too, so that its help imports no converter."""
    tool = runpy.run_path(str(REPO / 'tools' / 'dataset_converters' / 'mix.py'))
    assert tool['SETS'] == tuple(LAYOUTS)
