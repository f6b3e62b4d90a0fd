"""The wheel is complete: what `pip install mmdpt` gives works away from the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from tiny import REPO

pytestmark = pytest.mark.nightly

NOT_SOURCE = ('.*', '__pycache__', '*.egg-info', 'build', 'dist', 'data', 'work_dirs')


def run(*command, cwd: Path) -> str:
    """Run a command to its end and return what it printed; its errors become the test's."""
    environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    command = list(map(str, command))
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f'{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}'
    return done.stdout


def build(source: Path, out: Path, *options: str) -> Path:
    """Build with the installed setuptools, offline, and return the wheel."""
    run(sys.executable, '-m', 'build', '--no-isolation', '--outdir', out, *options, cwd=source)
    (wheel,) = out.glob('mmdpt-*.whl')
    return wheel


@pytest.fixture(scope='module')
def source(tmp_path_factory) -> Path:
    """A copy of the checkout, so that building leaves nothing behind in it."""
    copy = tmp_path_factory.mktemp('source') / 'mmdpt'
    shutil.copytree(REPO, copy, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    return copy


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory) -> Path:
    return build(source, tmp_path_factory.mktemp('wheel'), '--wheel')


@pytest.fixture(scope='module')
def fresh_python(wheel, tmp_path_factory) -> Path:
    """The Python of a new environment that holds the wheel and borrows only its dependencies."""
    env = tmp_path_factory.mktemp('env')
    run(sys.executable, '-m', 'venv', '--without-pip', env, cwd=env)
    python = env / 'bin' / 'python'
    purelib = Path(
        run(python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))', cwd=env).strip()
    )
    # A folder named in a .pth file does not have its own .pth files read, so an editable mmdpt in
    # the borrowed site-packages stays out.
    borrowed = {sysconfig.get_path('purelib'), sysconfig.get_path('platlib')}
    (purelib / 'borrowed.pth').write_text('\n'.join(sorted(borrowed)) + '\n')
    run(
        *(sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-index'),
        *('--disable-pip-version-check', '--target', purelib, wheel),
        cwd=env,
    )
    return python


def members(wheel: Path) -> dict[str, zipfile.ZipInfo]:
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info for info in archive.infolist()}


def test_wheel_carries_the_package_with_its_types_and_every_config_and_tool(wheel, source):
    shipped = [file for part in ('configs', 'tools') for file in (source / part).rglob('*')]
    shipped = {f'mmdpt/.mim/{path.relative_to(source)}' for path in shipped if path.is_file()}
    assert 'mmdpt/.mim/tools/train.py' in shipped
    assert any(name.startswith('mmdpt/.mim/configs/dpt/dpt_') for name in shipped)
    package = {
        str(path.relative_to(source))
        for path in (source / 'mmdpt').rglob('*')
        if path.suffix == '.py' or path.name == 'py.typed'
    }
    found = members(wheel)
    expected = shipped | package | {'mmdpt/.mim/model-index.yml'}
    assert {name for name in found if name.startswith('mmdpt/')} == expected
    assert not [name for name in found if '__pycache__' in name or 'tests/' in name]
    for name, info in found.items():
        assert not name.endswith('.sh') or info.external_attr >> 16 & 0o111, f'{name} cannot run'


def test_wheel_from_the_sdist_is_the_same(wheel, source, tmp_path):
    from_sdist = build(source, tmp_path)  # without options: the sdist, and the wheel from it
    assert len(list(tmp_path.glob('mmdpt-*.tar.gz'))) == 1
    assert set(members(from_sdist)) == set(members(wheel))


def test_installed_package_builds_a_model_of_a_config_that_inherits(fresh_python, tmp_path):
    (tmp_path / 'mine.py').write_text(
        "_base_ = ['mmdpt::dpt/dpt_vit-ti16_scenes.py']\n"
        'model = dict(decode_head=dict(num_classes=5))\n'
    )
    script = """
import mmdpt
from mmdpt.apis import init_model

print(mmdpt.__file__, init_model('mine.py').decode_head.num_classes)
"""
    *_, file, classes = run(fresh_python, '-c', script, cwd=tmp_path).split()
    assert Path(file).is_relative_to(fresh_python.parents[1])
    assert classes == '5'


def test_installed_command_lists_the_tools_and_runs_one(fresh_python, tmp_path):
    (command,) = fresh_python.parents[1].rglob('bin/mmdpt')  # beside the packages, for --target
    listed = run(fresh_python, command, cwd=tmp_path)
    assert '  convert-checkpoint ' in listed and '  dataset-converters/nyu ' in listed
    printed = run(fresh_python, command, 'print_config', 'dpt_vit-ti16_scenes', cwd=tmp_path)
    assert 'VisionTransformerDPT' in printed


def test_installed_doctor_finds_nothing_wrong(fresh_python, tmp_path):
    printed = run(fresh_python, '-m', 'mmdpt', 'doctor', cwd=tmp_path)
    assert f'in {fresh_python.parents[1]}' in printed  # not the checkout
    assert 'data/nyu ' in printed and printed.endswith('\nnothing wrong\n')
