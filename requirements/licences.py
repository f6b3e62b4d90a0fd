"""Write docs/licences.md: the licence of every package in constraints.txt.

python requirements/licences.py
"""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'licences.md'
CONSTRAINTS = ROOT / 'requirements' / 'constraints.txt'

PERMISSIVE = re.compile(
    r'(?:LicenseRef-)?(?:MIT(?:-CMU)?|Apache(?:-2\.0)?(?: WITH LLVM-exception)?'
    r'|(?:0|[23]-Clause )?BSD(?:[- ][23]-Clause)?|ISC|PSF-2\.0|Python Software Foundation'
    r'|Zlib|WTFPL|CC0-1\.0|BSL-1\.0|CNRI-Python|Public Domain)'
)
"""May be combined with Apache-2.0 and passed on under it, with their notices."""
WEAK_COPYLEFT = re.compile(r'MPL-2\.0')
"""Binds changes to the package's own files, none of which is in mmdpt (MPL-2.0, section 3.3)."""
PROPRIETARY = re.compile('LicenseRef-NVIDIA-Proprietary')
"""CUDA's libraries: used by torch where there is a GPU, passed on by NVIDIA alone."""
KINDS = {'permissive': PERMISSIVE, 'weak copyleft': WEAK_COPYLEFT, 'proprietary': PROPRIETARY}

SPELLINGS = {
    r'(?:OSI Approved :: )?Apache Software License|Apache 2\.0(?: License)?': 'Apache-2.0',
    r'Mozilla Public License 2\.0 \(MPL 2\.0\)': 'MPL-2.0',
    r'ISC [Ll]icense(?: \(ISCL\))?': 'ISC',
    r'(MIT|BSD|BSD 3-Clause|Foundation) License': r'\1',
    r'NVIDIA Proprietary Software': 'LicenseRef-NVIDIA-Proprietary',
}
NOT_IN_METADATA = {
    'cuda-toolkit': 'LicenseRef-NVIDIA-Proprietary',  # names NVIDIA's packages and has no file
    'docutils': 'Public Domain AND BSD',  # COPYING: of its files only Emacs modes have the GPL
    'nvidia-nvtx': 'Apache-2.0',  # its text; the classifier says proprietary
    'onedl-mmengine': 'Apache-2.0',  # LICENSE, the whole text in the field
    'opencv-python-headless': 'Apache-2.0',  # as opencv-python, in the place of which it may stand
    'parameterized': 'BSD-2-Clause',  # its text, called FreeBSD in the field
    'tiktoken': 'MIT',  # its text, whole in the field
    'torchao': 'BSD-3-Clause',  # its text
    'wheel': 'MIT',  # as the copy in setuptools/_vendor; for building alone
}
"""Where a package's own fields say nothing, or not what its files say."""
NOTES = {
    'av': 'the wheel holds FFmpeg with x264 and x265 (GPL), which are loaded as libraries; to pass '
    'it on, build PyAV against an FFmpeg without them',
    'opencv-python': 'the wheel holds FFmpeg and Qt (LGPL), which are loaded as libraries',
    'opencv-python-headless': 'the wheel holds FFmpeg (LGPL), which is loaded as a library',
    'docutils': 'for the documentation alone; an Emacs mode in its sources has the GPL',
}

WEIGHTS = """\
## Weights

mmdpt contains no weights. Those that you download have licences of their own. DINOv3's, from
Meta as from timm, have the
[DINOv3 License](https://github.com/facebookresearch/dinov3/blob/main/LICENSE.md). It holds for
what you train from them, too. It asks you to pass its text on and to name DINOv3 in
publications, and it forbids military, nuclear and weapons use. timm names the licence of its
weights in `timm.get_pretrained_cfg(NAME).license`. TIPSv2's are under Apache 2.0 by their model
card and under CC-BY 4.0 by their repository: [Checkpoints](checkpoints.md).
"""


class Licence(NamedTuple):
    """A pinned package; ``version`` and ``licence`` as its metadata say, '' where not installed."""

    name: str
    pinned: str
    version: str
    licence: str
    at_runtime: bool


def pins() -> dict[str, str]:
    """Give the pinned versions by name."""
    lines = CONSTRAINTS.read_text(encoding='utf-8').splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith('#')]
    return {r.name: str(next(iter(r.specifier)).version) for r in requirements}


def licences() -> Iterator[Licence]:
    """Give what is known here of every pinned package."""
    runtime = closure('mmdpt', set())
    for name, pinned in pins().items():
        key = canonicalize_name(name)
        licence, version = NOT_IN_METADATA.get(key, ''), ''
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            pass
        else:
            version, licence = found.version, licence or licence_of(found)
        yield Licence(name, pinned, version, licence, key in runtime)


def licence_of(package: metadata.Distribution) -> str:
    """Give a package's licence: its expression, its short field, or its classifiers."""
    fields = package.metadata
    said = fields.get('License-Expression') or ''
    short = fields.get('License') or ''
    if not said and not re.search(r'\n|^Copy|^UNKNOWN$|^License agreement|^=|.{60}', short):
        said = short
    if not said:
        classifiers = fields.get_all('Classifier') or []
        ends = [c.rpartition(' :: ')[2] for c in classifiers if c.startswith('License :: ')]
        said = ' AND '.join(end for end in ends if end not in ('OSI Approved', 'DFSG approved'))
    for pattern, name in SPELLINGS.items():
        said = re.sub(pattern, name, said)
    return said.strip()


def kind_of(licence: str) -> str | None:
    """Tell the strictest kind of a licence's parts, None where one is not known."""
    kinds = []
    for choice in re.split(r' OR ', licence):
        parts = [
            next(
                (kind for kind, known in KINDS.items() if known.fullmatch(part.strip(' ()'))), None
            )
            for part in re.split(r' AND ', choice)
        ]
        kinds.append(None if None in parts else max(parts, key=list(KINDS).index))
    known = [kind for kind in kinds if kind is not None]
    return min(known, key=list(KINDS).index) if known else None


def closure(name: str, extras: set[str]) -> set[str]:
    """Give the packages that one needs, canonical names, itself among them."""
    done: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(name), extra) for extra in ('', *extras)]
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in done:
            continue
        done.add((package, extra))
        try:
            requires = metadata.requires(package) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, requires):
            if requirement.marker is None or requirement.marker.evaluate(dict(extra=extra)):
                needed = canonicalize_name(requirement.name)
                waiting += [(needed, more) for more in ('', *requirement.extras)]
    return {package for package, _ in done}


def page() -> str:
    """Write the page."""
    rows = list(licences())
    lines = [
        '# Licences',
        '',
        'mmdpt is tested with these packages. It is under Apache-2.0 and contains none of them;',
        'they are installed beside it. `python requirements/licences.py` makes this page from',
        'their own metadata, for the versions of `requirements/constraints.txt`. `pip install',
        'mmdpt` installs those marked "runtime"; the others are for tests and documentation.',
        '',
        '| kind | packages | with Apache-2.0 |',
        '|---|---|---|',
    ]
    meanings = {
        'permissive': 'may be combined and passed on, with their notices',
        'weak copyleft': "MPL-2.0 binds changes to the package's own files; none is in mmdpt",
        'proprietary': "NVIDIA's libraries for GPUs, which torch's wheels for Linux ask for. mmdpt "
        'uses them but does not pass them on. A CPU wheel of torch needs none of them',
    }
    kinds = [kind_of(row.licence) for row in rows]
    lines += [f'| {kind} | {kinds.count(kind)} | {what} |' for kind, what in meanings.items()]
    lines += ['', '| package | version | licence | for | note |', '|---|---|---|---|---|']
    for row in rows:
        use = 'runtime' if row.at_runtime else 'tests, docs'
        note = NOTES.get(canonicalize_name(row.name), '')
        lines.append(f'| {row.name} | {row.pinned} | {row.licence} | {use} | {note} |')
    return '\n'.join([*lines, '', WEIGHTS])


if __name__ == '__main__':
    PAGE.write_text(page(), encoding='utf-8')
    print(PAGE)
