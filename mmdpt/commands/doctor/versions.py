"""The versions of the stack, against what mmdpt declares and what it is tested with."""

import ast
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import mmdpt
from mmdpt.errors import InputError
from mmdpt.files.shipped import shipped

from .findings import Finding
from .packages import OWNERS, installed_version, owners_of, stand_ins

PAIRS = 'https://pytorch.org/get-started/previous-versions'


class Declared(NamedTuple):
    """What mmdpt says that it needs."""

    python: SpecifierSet
    packages: list[Requirement]


def check_versions() -> Iterator[Finding]:
    """Compare what is installed with what is declared, with what is tested, and in itself."""
    declared = read_declared()
    tested = read_tested(shipped('requirements') / 'constraints.txt')
    yield Finding('ok', 'mmdpt', f'{mmdpt.__version__} in {Path(mmdpt.__file__).parent}')
    yield check_python(platform.python_version(), declared.python)
    for requirement in declared.packages:
        yield check_package(requirement, tested.get(canonicalize_name(requirement.name)))
    if not tested:
        yield Finding(
            'note', 'tested versions', "requirements/constraints.txt of mmdpt's sources is not here"
        )
    yield from check_pair(tested)
    yield from check_owners()


def read_declared() -> Declared:
    """Read the requirements: in a checkout setup.py's, or else those that were installed.

    An editable installation keeps the requirements of the day it was made.

    Raises:
        InputError: If neither is there.
    """
    setup_file = shipped('setup.py')
    if setup_file.is_file():
        return declared_in(setup_file)
    try:
        info = metadata.distribution('mmdpt')
    except metadata.PackageNotFoundError as error:
        raise InputError(f'mmdpt is not installed, and there is no {setup_file}') from error
    return _declared(info.metadata['Requires-Python'] or '', info.requires or [])


def declared_in(setup_file: Path) -> Declared:
    """Read the literals of a setup.py's call, without executing it.

    Raises:
        InputError: If it has no such call.
    """
    for node in ast.walk(ast.parse(setup_file.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Call):
            values = {keyword.arg: keyword.value for keyword in node.keywords}
            if 'install_requires' in values and 'python_requires' in values:
                return _declared(
                    ast.literal_eval(values['python_requires']),
                    ast.literal_eval(values['install_requires']),
                )
    raise InputError(f'{setup_file} declares no requirements')


def _declared(python: str, packages: list[str]) -> Declared:
    """Parse requirements and leave those of the extras out."""
    parsed = map(Requirement, packages)
    here = [r for r in parsed if r.marker is None or r.marker.evaluate({'extra': ''})]
    return Declared(SpecifierSet(python), here)


def read_tested(constraints: Path) -> dict[str, SpecifierSet]:
    """Read the tested versions by canonical name; none where the file is not there."""
    if not constraints.is_file():
        return {}
    lines = constraints.read_text(encoding='utf-8').splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith('#')]
    return {
        canonicalize_name(pin.name): pin.specifier
        for pin in pins
        if pin.marker is None or pin.marker.evaluate()
    }


def check_python(version: str, needed: SpecifierSet) -> Finding:
    """Compare Python's version with the declared one."""
    if needed.contains(version, prereleases=True):
        return Finding('ok', 'Python', f'{version}; mmdpt needs {needed}')
    return Finding(
        'wrong',
        'Python',
        f'{version}, but mmdpt needs {needed}',
        'make the environment with another Python',
    )


def check_package(needed: Requirement, tested: SpecifierSet | None) -> Finding:
    """Compare an installed package with what is declared and, if that fits, what is tested."""
    name, install = needed.name, f"pip install '{needed}'"
    version = installed_version(name)
    if version is None:
        others = stand_ins(name)
        if not others:
            return Finding('wrong', name, 'is not installed', install)
        text = f'{others[0]} {installed_version(others[0])} stands in for it, which is not tested'
        return Finding('note', name, text, f'if it gives trouble: {install}, without {others[0]}')
    if not needed.specifier.contains(version, prereleases=True):
        return Finding('wrong', name, f'{version}, but mmdpt needs {needed.specifier}', install)
    if tested is not None and not tested.contains(version, prereleases=True):
        return Finding('note', name, f'{version}; mmdpt is tested with {_bare(tested)}')
    return Finding('ok', name, version + (', as tested' if tested else ''))


def check_pair(tested: dict[str, SpecifierSet]) -> Iterator[Finding]:
    """Compare torch with what the installed torchvision says that it needs."""
    torch, torchvision = installed_version('torch'), installed_version('torchvision')
    if torch is None or torchvision is None:
        return
    remedy = f'install the two together, a pair of {PAIRS}'
    if 'torch' in tested and 'torchvision' in tested:
        remedy = f"pip install 'torch{tested['torch']}' 'torchvision{tested['torchvision']}'"
    subject = 'torch, torchvision'
    for needed in map(Requirement, metadata.requires('torchvision') or []):
        if canonicalize_name(needed.name) == 'torch' and not needed.specifier.contains(
            torch, prereleases=True
        ):
            text = f'torchvision {torchvision} needs torch {needed.specifier}, not {torch}'
            yield Finding('wrong', subject, text, remedy)
            return
    builds = Version(torch).local, Version(torchvision).local
    if None not in builds and builds[0] != builds[1]:
        text = f'torch is built for {builds[0]}, torchvision for {builds[1]}'
        yield Finding('wrong', subject, text, 'install both from the same index')
        return
    yield Finding('ok', subject, f'{torch} and {torchvision} match')


def check_owners() -> Iterator[Finding]:
    """Find distributions that overwrite each other's modules."""
    for module in OWNERS:
        owners = owners_of(module)
        if len(owners) > 1:
            yield Finding(
                'note' if module == 'cv2' else 'wrong',
                module,
                f'{" and ".join(owners)} have written it over each other',
                f'pip uninstall {" ".join(owners)}; pip install {owners[0]}',
            )


def _bare(pin: SpecifierSet) -> str:
    """'==2.14.1' as '2.14.1'."""
    return str(pin).removeprefix('==')
