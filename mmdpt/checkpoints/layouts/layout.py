"""A foreign checkpoint layout as one table of keys that is read in both directions."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from torch import Tensor

StateDict = Mapping[str, Tensor]

WEIGHT = ('weight',)
AFFINE = ('weight', 'bias')
COUNTER = 'num_batches_tracked'
BATCH_NORM = (*AFFINE, 'running_mean', 'running_var', COUNTER)
NUM_TAPS = 4
OLDER = '(older)'
"""A part whose name ends in this is read, not written: newer files have other names for it."""


@dataclass(frozen=True)
class Pair:
    """One tensor of ours and where a file keeps it. {n}, {s} and {b} stand for numbers.

    Attributes:
        ours: Key template.
        theirs: Key templates. Several are pieces of our tensor along its first dimension (q, k, v).
        part: A file has either all pairs of a part or none of them.
    """

    ours: str
    theirs: tuple[str, ...]
    part: str

    @property
    def optional(self) -> bool:
        """Whether a file may lack the tensor: no output depends on BatchNorm's counter."""
        return self.ours.endswith(COUNTER)


@dataclass(frozen=True)
class Dead:
    """A parameter that no output of the file's own model depends on, and that we do not have.

    The other side loads strictly, so it is filled on the way out: with ``value``, in the shape of
    our ``like``, with ``rows`` in the first dimension.
    """

    theirs: str
    reason: str
    like: str
    value: float = 0.0
    rows: int | None = None


@dataclass(frozen=True)
class Implied:
    """A parameter of ours that is zero where a file has none. It is as long as ``like``."""

    ours: str
    like: str
    reason: str


@dataclass(frozen=True)
class Layout:
    """One foreign layout.

    Attributes:
        source: Name of the code base, as ``--source`` takes it.
        marks: Regular expressions. A file of this layout has a matching key for each.
        pairs: The table.
        required: Parts that no file lacks.
        task: 'depth', 'segmentation' or 'normals'; 'backbone' if there is no head.
        either: Parts of which every file has exactly one.
        dead: Parameters that are dropped.
        implied: Parameters of ours that files may lack.
        aliases: Regular expressions and replacements from older names to those of the table.
        check: Raises InputError if our model could not give the same numbers.
        prepare: Brings the tensors into the form of the table, on the way in.
        restore: Brings them back into the file's form, on the way out.
        settings: What a config must say for equal numbers.
    """

    source: str
    marks: tuple[str, ...]
    pairs: tuple[Pair, ...]
    required: tuple[str, ...]
    task: str
    either: tuple[str, ...] = ()
    dead: tuple[Dead, ...] = ()
    implied: tuple[Implied, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    check: Callable[[StateDict], None] | None = None
    prepare: Callable[[StateDict], dict[str, Tensor]] = dict
    restore: Callable[[StateDict], dict[str, Tensor]] = dict
    settings: str = ''

    def recognises(self, keys: Iterable[str]) -> bool:
        """Whether every mark is among the keys."""
        keys = list(keys)
        return all(any(re.search(mark, key) for key in keys) for mark in self.marks)

    def current_name(self, key: str) -> str:
        """Give the table's name of a key that may be an older one."""
        for pattern, replacement in self.aliases:
            key = re.sub(pattern, replacement, key)
        return key


def modules(part: str, *table: tuple[str, str, tuple[str, ...]]) -> list[Pair]:
    """Build the pairs of modules, each given as (ours, theirs, names of the tensors in both)."""
    return [
        Pair(f'{ours}.{leaf}', (f'{theirs}.{leaf}',), part)
        for ours, theirs, leaves in table
        for leaf in leaves
    ]


def expand(pairs: Iterable[Pair], keys: Iterable[str], ours: bool) -> list[Pair]:
    """Write out a table for a file: every number from 0 to the greatest among its keys.

    ``ours`` says whether the keys are ours or theirs.
    """
    keys = list(keys)
    found: dict[tuple[str, ...], set[tuple[int, ...]]] = {}
    pairs = list(pairs)
    for pair in pairs:
        numbers = found.setdefault(_placeholders(pair.ours), set())
        if not _placeholders(pair.ours):
            numbers.add(())
            continue
        for template in (pair.ours,) if ours else pair.theirs:
            pattern = re.compile(re.sub(r'\\\{\w\\\}', r'(\\d+)', re.escape(template)))
            numbers |= {
                tuple(map(int, match.groups()))
                for match in map(pattern.fullmatch, keys)
                if match is not None
            }
    return [
        replace(
            pair,
            ours=_fill(pair.ours, numbers),
            theirs=tuple(_fill(key, numbers) for key in pair.theirs),
        )
        for pair in pairs
        for numbers in _without_gaps(found[_placeholders(pair.ours)])
    ]


def _placeholders(template: str) -> tuple[str, ...]:
    return tuple(re.findall(r'\{(\w)\}', template))


def _fill(template: str, numbers: tuple[int, ...]) -> str:
    return template.format(**dict(zip(_placeholders(template), numbers, strict=True)))


def _without_gaps(found: set[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """Yield every tuple of numbers from 0 up to the greatest in each place."""
    if not found or found == {()}:
        yield from found
        return
    for first in range(max(numbers[0] for numbers in found) + 1):
        rest = {numbers[1:] for numbers in found if numbers[0] == first}
        for others in _without_gaps(rest) if rest else [(0,) * (len(next(iter(found))) - 1)]:
            yield (first, *others)
