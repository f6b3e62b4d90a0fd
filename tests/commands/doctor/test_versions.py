"""Versions against what is declared, what is tested, and each other."""

from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import mmdpt
from mmdpt.commands.doctor import versions
from mmdpt.commands.doctor.versions import (
    check_owners,
    check_package,
    check_pair,
    check_python,
    declared_in,
    read_declared,
    read_tested,
)
from mmdpt.errors import InputError

REPO = Path(__file__).resolve().parents[3]
NEEDED = Requirement('torch>=2.4')
TESTED = SpecifierSet('==2.14.1')


@pytest.fixture
def torchvision_needs(monkeypatch, pretend):
    """Pretend torch, torchvision and what the latter declares."""

    def set_needs(needs, torch, torchvision='0.29.1'):
        pretend(torch=torch, torchvision=torchvision)
        monkeypatch.setattr(metadata, 'requires', lambda name: needs)

    return set_needs


def test_this_installation_has_nothing_wrong():
    found = list(versions.check_versions())
    assert [finding for finding in found if finding.state == 'wrong'] == []
    assert {'torch', 'onedl-mmcv', 'torch, torchvision'} <= {finding.subject for finding in found}


def test_requirements_are_read_from_setup_py_without_running_it(tmp_path):
    path = tmp_path / 'setup.py'
    path.write_text(
        "raise SystemExit\nsetup(python_requires='>=3.10', install_requires=['torch>=2.4', 'x'])\n"
    )
    declared = declared_in(path)
    assert str(declared.python) == '>=3.10'
    assert [str(requirement) for requirement in declared.packages] == ['torch>=2.4', 'x']


def test_setup_py_without_requirements_is_named(tmp_path):
    path = tmp_path / 'setup.py'
    path.write_text("setup(name='mmdpt', python_requires='>=3.10')\n")
    with pytest.raises(InputError, match=r'setup\.py declares no requirements'):
        declared_in(path)


def test_without_setup_py_the_installed_requirements_count_and_not_those_of_extras(
    tmp_path, monkeypatch
):
    info = tmp_path / 'mmdpt-0.1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(
        'Metadata-Version: 2.1\nName: mmdpt\nVersion: 0.1.0\nRequires-Python: >=3.10\n'
        'Requires-Dist: torch>=2.4\nRequires-Dist: onnx; extra == "onnx"\n'
    )
    monkeypatch.setattr(mmdpt, '__file__', str(tmp_path / 'mmdpt' / '__init__.py'))
    monkeypatch.setattr(metadata, 'distribution', lambda name: metadata.Distribution.at(info))
    declared = read_declared()
    assert str(declared.python) == '>=3.10'
    assert [str(requirement) for requirement in declared.packages] == ['torch>=2.4']


def test_neither_setup_py_nor_an_installation_is_an_input_error(tmp_path, monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(mmdpt, '__file__', str(tmp_path / 'mmdpt' / '__init__.py'))
    monkeypatch.setattr(metadata, 'distribution', absent)
    with pytest.raises(InputError, match='mmdpt is not installed'):
        read_declared()


def test_tested_versions_are_the_pins_that_apply_by_canonical_name(tmp_path):
    path = tmp_path / 'constraints.txt'
    path.write_text('# tested\nTorch_Vision==0.29.1\nold==1 ; python_version < "3"\n\nnew==2\n')
    pins = {name: str(pin) for name, pin in read_tested(path).items()}
    assert pins == {'torch-vision': '==0.29.1', 'new': '==2'}


def test_every_requirement_of_mmdpt_has_a_tested_version():
    tested = read_tested(REPO / 'requirements' / 'constraints.txt')
    assert {requirement.name for requirement in read_declared().packages} <= set(tested)


def test_constraints_that_did_not_travel_are_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, 'read_tested', lambda path: read_tested(tmp_path / 'gone.txt'))
    found = list(versions.check_versions())
    (note,) = [finding for finding in found if finding.subject == 'tested versions']
    assert note.state == 'note' and 'constraints.txt' in note.text
    assert [finding for finding in found if finding.state == 'wrong'] == []


@pytest.mark.parametrize(('version', 'state'), [('3.10.0', 'ok'), ('3.9.18', 'wrong')])
def test_python_that_is_too_old_is_wrong(version, state):
    assert check_python(version, SpecifierSet('>=3.10')).state == state


@pytest.mark.parametrize(
    ('version', 'state', 'text', 'remedy'),
    [
        ('2.14.1', 'ok', '2.14.1, as tested', ''),
        ('2.14.1+cu130', 'ok', '2.14.1+cu130, as tested', ''),
        ('2.15.0.dev1', 'note', '2.15.0.dev1; mmdpt is tested with 2.14.1', ''),
        ('2.3.1', 'wrong', '2.3.1, but mmdpt needs >=2.4', "pip install 'torch>=2.4'"),
        (None, 'wrong', 'is not installed', "pip install 'torch>=2.4'"),
    ],
)
def test_installed_version_is_compared(pretend, version, state, text, remedy):
    pretend(torch=version)
    assert check_package(NEEDED, TESTED) == (state, 'torch', text, remedy)


def test_untested_package_that_is_wanted_is_fine(pretend):
    pretend(torch='2.4.0')
    assert check_package(NEEDED, None) == ('ok', 'torch', '2.4.0', '')


def test_upstream_package_in_place_of_the_fork_is_a_note(pretend):
    pretend(onedl_mmcv=None, mmcv='2.1.0')
    finding = check_package(Requirement('onedl-mmcv>=2.3.6'), None)
    assert finding.state == 'note' and finding.text.startswith('mmcv 2.1.0 stands in for it')
    assert "pip install 'onedl-mmcv>=2.3.6', without mmcv" in finding.remedy


@pytest.mark.parametrize('needs', [['numpy', 'torch (==2.14.1)'], ['torch==2.14.1'], []])
def test_pair_that_matches_is_fine(torchvision_needs, needs):
    torchvision_needs(needs, torch='2.14.1+cpu', torchvision='0.29.1+cpu')
    (finding,) = check_pair({})
    assert finding.state == 'ok'


def test_torch_that_torchvision_was_not_made_for_is_wrong(torchvision_needs):
    torchvision_needs(['torch (==2.14.1)'], torch='2.13.0')
    (finding,) = check_pair({})
    assert finding.state == 'wrong'
    assert finding.text == 'torchvision 0.29.1 needs torch ==2.14.1, not 2.13.0'
    (finding,) = check_pair({'torch': TESTED, 'torchvision': SpecifierSet('==0.29.1')})
    assert finding.remedy == "pip install 'torch==2.14.1' 'torchvision==0.29.1'"


def test_builds_for_different_devices_are_wrong(torchvision_needs):
    torchvision_needs(['torch==2.14.1'], torch='2.14.1+cpu', torchvision='0.29.1+cu130')
    (finding,) = check_pair({})
    assert finding.state == 'wrong'
    assert finding.text == 'torch is built for cpu, torchvision for cu130'


def test_absent_package_is_no_mismatch(torchvision_needs):
    torchvision_needs(['torch==2.14.1'], torch='2.13.0', torchvision=None)
    assert list(check_pair({})) == []


def test_fork_and_upstream_together_are_wrong(pretend):
    pretend(mmcv='2.1.0', opencv_python_headless=None)
    (finding,) = check_owners()
    assert (finding.state, finding.subject) == ('wrong', 'mmcv')
    assert finding.remedy == 'pip uninstall onedl-mmcv mmcv; pip install onedl-mmcv'


def test_two_opencvs_are_a_note(pretend):
    pretend(opencv_python='5.0', opencv_python_headless='5.0')
    (finding,) = check_owners()
    assert (finding.state, finding.subject) == ('note', 'cv2')
