"""What is installed is pinned, and its licences go together with ours."""

import re
import runpy
import subprocess
from importlib import metadata

import pytest
from packaging.utils import canonicalize_name
from tiny import REPO

CONSTRAINTS = 'requirements/constraints.txt'


@pytest.fixture(scope='module')
def licences():
    """The functions of requirements/licences.py."""
    return runpy.run_path(str(REPO / 'requirements' / 'licences.py'))


@pytest.fixture(scope='module')
def pins(licences):
    return {canonicalize_name(name): version for name, version in licences['pins']().items()}


def test_every_package_that_a_set_up_brings_is_pinned_and_has_that_version(licences, pins):
    needed = licences['closure']('mmdpt', {'tests'}) - {'mmdpt'}
    installed = {}
    for name in needed:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            assert name == 'opencv-python', name  # the build without windows in its place
    assert len(installed) > 100
    assert not {name: version for name, version in installed.items() if pins.get(name) != version}


def test_every_pin_is_exact():
    lines = (REPO / CONSTRAINTS).read_text().splitlines()
    wrong = [line for line in lines[1:] if not re.match(r'[\w.-]+==[\w.]+( ;|$)', line)]
    assert not wrong and lines[0].startswith('#')


def test_set_up_installs_only_under_the_constraints():
    """Packages, and what they are built with; CI runs ``make test``, which sets up first."""
    done = subprocess.run(
        ['make', '--dry-run', '--always-make', 'setup'], cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    commands = re.findall(r'[^;&{|]*\bpip install\b[^;&|]*', done.stdout.replace('\\\n', ' '))
    assert len(commands) == 2
    for command in commands:
        for variable in ('PIP_CONSTRAINT', 'PIP_BUILD_CONSTRAINT'):
            assert f"{variable}='{REPO}/{CONSTRAINTS}'" in command


def test_nothing_else_installs():
    """No script, target or CI step, but the one target that the test above looks at."""
    paths = [REPO / 'Makefile', *(REPO / '.ci').iterdir(), *(REPO / 'tools').rglob('*.sh')]
    found = [
        (path.name, line.strip())
        for path in paths
        for line in path.read_text().splitlines()
        if re.search(r'\binstall\b.*(--|-r )|(pip|conda|apt(-get)?|npm) install|curl |wget ', line)
        and not line.startswith(('#', '\t    "On Debian'))
    ]
    assert {name for name, _ in found} == {'Makefile'}
    assert all(re.findall(r'(\S+) install\b', line) == ['$(PIP)'] for _, line in found), found
    assert (REPO / '.ci' / 'run').read_text().rstrip().endswith('exec make test')


@pytest.fixture(scope='module')
def listed():
    """Version and licence of each package on the page of licences."""
    page = (REPO / 'docs' / 'licences.md').read_text()
    return {
        cells[0]: cells[1:3]
        for line in page.splitlines()
        if len(cells := [cell.strip() for cell in line.strip('| ').split(' | ')]) >= 4
    }


def test_no_licence_conflicts_with_ours(licences, listed):
    """By the page, which is compared below: not all that is pinned is installed."""
    kinds = {name: licences['kind_of'](listed[name][1]) for name in licences['pins']()}
    assert not [name for name, kind in kinds.items() if kind is None]
    proprietary = {name for name, kind in kinds.items() if kind == 'proprietary'}
    assert all(name.startswith(('nvidia-', 'cuda-')) for name in proprietary)


@pytest.mark.parametrize(
    ('licence', 'kind'),
    [
        ('MIT', 'permissive'),
        ('Apache-2.0 OR GPL-3.0-only', 'permissive'),
        ('MPL-2.0 AND MIT', 'weak copyleft'),
        ('MIT AND LicenseRef-NVIDIA-Proprietary', 'proprietary'),
        ('GPL-3.0-or-later', None),
        ('MIT AND AGPL-3.0', None),
        ('LGPL-2.1', None),
        ('', None),
        ('Free for academic use', None),
    ],
)
def test_a_licence_is_as_strict_as_its_strictest_part(licences, licence, kind):
    assert licences['kind_of'](licence) == kind


def test_the_page_of_licences_is_up_to_date(licences, listed):
    """Where it is not: python requirements/licences.py, where all of them are installed."""
    for row in licences['licences']():
        assert listed[row.name][0] == row.pinned
        if row.version == row.pinned:
            assert listed[row.name][1] == row.licence


def test_mmdpt_is_under_apache():
    fields = metadata.metadata('mmdpt')
    assert 'Apache-2.0' in (fields.get('License-Expression') or fields.get('License'))
    assert 'Version 2.0, January 2004' in (REPO / 'LICENSE').read_text()
