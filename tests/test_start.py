"""What starts fast imports little: neither torch nor the host packages before they are needed."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mmdpt.commands.cli import find_tools
from mmdpt.datasets.conversion import LAYOUTS

REPO = Path(__file__).resolve().parents[1]
SLOW = {'torch', 'torchvision', 'mmengine', 'mmcv', 'mmseg', 'mmpretrain', 'cv2', 'matplotlib'}
MOST = 300
"""Modules; of torch alone there are over 1000."""


def imported_by(*arguments: str) -> tuple[set[str], str]:
    """Modules that a Python process imports, and what it prints."""
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', *arguments], capture_output=True, text=True, cwd=REPO
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = (line for line in done.stderr.splitlines() if line.startswith('import time:'))
    return {line.rpartition('|')[2].strip() for line in lines}, done.stdout


def assert_are_few(modules: set[str]):
    assert 'encodings' in modules  # which every Python imports: the list is not of nothing
    assert not modules & SLOW
    assert len(modules) <= MOST


def test_the_package_imports_little():
    modules, _ = imported_by('-c', 'import mmdpt')
    assert_are_few(modules)
    assert {name for name in modules if name.startswith('mmdpt')} == {'mmdpt', 'mmdpt.version'}


@pytest.mark.parametrize('tool', find_tools())
def test_the_help_of_a_tool_imports_little(tool):
    modules, printed = imported_by(str(find_tools()[tool]), '--help')
    assert printed.startswith(f'usage: {find_tools()[tool].name}')
    assert_are_few(modules)


@pytest.mark.parametrize('arguments', [('--help',), ('train', '--help')])
def test_the_help_of_the_command_imports_little(arguments):
    modules, printed = imported_by('-m', 'mmdpt', *arguments)
    assert printed.startswith('usage: ')
    assert_are_few(modules)


def test_the_sets_that_the_help_names_are_those_that_are_converted():
    """They stand in the tool, too, so that its help imports no converter."""
    tool = runpy.run_path(str(REPO / 'tools' / 'dataset_converters' / 'mix.py'))
    assert tool['SETS'] == tuple(LAYOUTS)
