"""The console command finds, lists and runs the tools, as ``python -m mmdpt`` and as installed."""

import subprocess
import sys
from pathlib import Path

import pytest
from tiny import REPO

import mmdpt
from mmdpt.commands import cli
from mmdpt.commands.tool import report_input_errors
from mmdpt.files.shipped import shipped
from mmdpt.registry import MODELS

ECHO = '''"""Print the arguments.

And nothing else.
"""
import sys

if __name__ == '__main__':
    print(sys.argv)
    sys.exit(7)
'''


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package folder in a checkout, in place of mmdpt's."""
    monkeypatch.setattr(mmdpt, '__file__', str(tmp_path / 'mmdpt' / '__init__.py'))
    return tmp_path / 'mmdpt'


@pytest.fixture
def tools(package) -> Path:
    """Two tools in a checkout and one in a folder of it."""
    folder = package.parent / 'tools'
    (folder / 'dataset_converters').mkdir(parents=True)
    (folder / 'say_args.py').write_text(ECHO)
    (folder / 'train.py').write_text('"""Train."""\n')
    (folder / 'train.sh').write_text('echo\n')
    (folder / 'dataset_converters' / 'nyu.py').write_text('"""Convert NYU."""\nprint("nyu")\n')
    return folder


def run(monkeypatch, *arguments: str) -> int:
    """The exit code of the command in this process."""
    monkeypatch.setattr(sys, 'argv', ['mmdpt', *arguments])
    try:
        return cli.main()
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize('name', ['say-args', 'say_args'])
def test_arguments_and_exit_code_pass_through(tools, monkeypatch, capsys, name):
    assert run(monkeypatch, name, 'a b', '--help', '--', '-x_y') == 7
    expected = [str(tools / 'say_args.py'), 'a b', '--help', '--', '-x_y']  # as python does it
    assert capsys.readouterr().out == f'{expected}\n'
    assert run(monkeypatch, 'dataset_converters/nyu') == 0
    assert capsys.readouterr().out == 'nyu\n'


@pytest.mark.parametrize('arguments', [(), ('--help',), ('-h',)])
def test_list_has_each_python_tool_with_the_first_line_of_its_docstring(
    tools, monkeypatch, capsys, arguments
):
    assert run(monkeypatch, *arguments) == 0
    listed = capsys.readouterr().out.partition('tools:\n')[2]
    assert [line.split(maxsplit=1) for line in listed.splitlines()] == [
        ['say-args', 'Print the arguments.'],
        ['train', 'Train.'],
        ['dataset-converters/nyu', 'Convert NYU.'],
    ]


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('trian', 'no tool trian; the nearest names: train\n'),
        ('nyu', 'no tool nyu; the nearest names: dataset-converters/nyu\n'),
        ('say_arg', 'no tool say_arg; the nearest names: say-args\n'),
        ('xyzzy', 'no tool xyzzy; mmdpt --help lists them\n'),
        ('../setup', 'no tool ../setup; '),
    ],
)
def test_unknown_tool_gives_code_two_and_the_nearest_names(
    tools, monkeypatch, capsys, name, message
):
    assert run(monkeypatch, name) == 2
    printed = capsys.readouterr()
    assert printed.out == '' and printed.err.startswith(f'error: {message}')


def test_tools_of_the_installed_package_come_before_those_beside_it(tools, package):
    packaged = package / '.mim' / 'tools'
    packaged.mkdir(parents=True)
    (packaged / 'test.py').write_text('"""Test."""\n')
    assert cli.find_tools() == {'test': packaged / 'test.py'}


def test_installation_without_tools_says_so(package, monkeypatch, capsys):
    assert run(monkeypatch, 'train') == 2
    assert f'there are none in {package.parent / "tools"}' in capsys.readouterr().err


def test_every_tool_of_mmdpt_has_a_docstring_and_runs_as_a_main_module():
    for name, path in cli.find_tools().items():
        assert cli.first_line(path).endswith(('.', '...')), name
        assert "if __name__ == '__main__':" in path.read_text(), name
    assert cli.find_tools()['convert-checkpoint'] == shipped('tools') / 'convert_checkpoint.py'
    assert 'dataset-converters/scenes' in cli.find_tools()


def test_a_real_tool_runs_with_its_errors(tmp_path):
    command = [sys.executable, '-m', 'mmdpt', 'print-config', str(tmp_path / 'gone.py')]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPO)
    expected = (1, f'error: no config file {tmp_path / "gone.py"}\n')
    assert (done.returncode, done.stderr) == expected


@pytest.mark.parametrize('in_config', [True, False])
def test_a_part_that_cannot_be_built_is_named(in_config, capsys):
    """Other errors are bugs, and keep their traceback."""

    @report_input_errors
    def main():
        if in_config:
            MODELS.build(dict(type='DPTHead', num_classes=3, reassemble_channels=4))
        raise TypeError

    with pytest.raises(SystemExit if in_config else TypeError):
        main()
    said = capsys.readouterr().err
    assert said.startswith('error: DPTHead cannot be built') == in_config
