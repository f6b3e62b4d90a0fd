"""Write a list file for ``DepthListDataset`` for a downloaded set of MiDaS's mix."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmdpt.errors import InputError
from mmdpt.files.atomic import write_npy
from mmdpt.files.paths import check_exists, check_stays_inside, missing_files, name_some

from .kept_files import PREPARATION, Report, write_csv, write_image
from .mix_layouts import LAYOUTS, NO_RECIPE, Converter, Layout

LIST_FILE = 'list.csv'
CONVERTED = 'converted'
"""Folder below the root for files converted to a format that ``DepthListDataset`` reads."""


@dataclass(frozen=True)
class MixSummary:
    """Number of lines, of files converted by this call, and of images without a depth map."""

    num_images: int
    num_converted: int
    num_left_out: int


def convert_mix(name: str, root: str | Path, progress: Report | None = None) -> MixSummary:
    """Write ``list.csv`` below the root, and convert what ``DepthListDataset`` cannot read.

    Converted files go to ``root/converted``; existing ones are kept.

    Args:
        name: A key of ``LAYOUTS``.
        root: Folder of the set as unpacked.

    Raises:
        InputError: If the name is unknown or has no recipe, the root is missing or holds no image
            of the set's layout, an image has no ground truth or mask, or images of the set are
            missing. ``list.csv`` is not written then.
    """
    if name not in LAYOUTS:
        reason = NO_RECIPE.get(name, f'no set of the mix: {", ".join(LAYOUTS)}')
        raise InputError(f'{name}: {reason}')
    layout = LAYOUTS[name]
    folder = check_exists(root, f'folder of {name}', PREPARATION)
    found = [match for path in _files(folder) if (match := re.fullmatch(layout.image, path))]
    if not found:
        raise InputError(
            f'no image of {name} in {folder}, looked for {layout.image}; {PREPARATION}'
        )
    _check_whole(name, folder, layout, found)
    rows = []
    converted = 0
    for done, match in enumerate(found, start=1):
        truth = match.expand(layout.truth)
        if layout.converter is not None:
            truth, is_new = _convert(layout.converter, folder, truth)
            converted += is_new
        if truth:
            mask = match.expand(layout.mask)
            rows.append(
                (match.string, truth, f'{layout.scale:g}', layout.invalid, mask, layout.intrinsics)
            )
        if progress is not None:
            progress(done, len(found))
    if not rows:
        raise InputError(f'none of the {len(found)} images of {name} in {folder} has a depth map')
    columns = ('image', layout.kind, 'scale', 'invalid', 'mask', 'intrinsics')
    used = [place for place, _ in enumerate(columns) if any(row[place] for row in rows)]
    write_csv(
        folder / LIST_FILE,
        [columns[place] for place in used],
        [[row[place] for place in used] for row in rows],
    )
    return MixSummary(len(rows), converted, len(found) - len(rows))


def _files(root: Path) -> Iterator[str]:
    """Paths of all files below a folder, with '/', in a fixed order, without converted ones."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # links can make a circle
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        if Path(folder) == root and CONVERTED in folders:
            folders.remove(CONVERTED)
        for name in sorted(names):
            yield (Path(folder) / name).relative_to(root).as_posix()


def _check_whole(name: str, root: Path, layout: Layout, found: list[re.Match]) -> None:
    for what, template in (('ground truth', layout.truth), ('mask', layout.mask)):
        if not template:
            continue
        expected = {match.string: str(root / match.expand(template)) for match in found}
        missing = missing_files(expected.values())
        unpaired = [
            f'{image} (expected {path})' for image, path in expected.items() if path in missing
        ]
        if unpaired:
            raise InputError(
                f'{len(unpaired)} images of {name} in {root} have no {what}:{name_some(unpaired)}'
            )
    if len(found) < layout.at_least:
        raise InputError(
            f'{root} holds {len(found)} images, {name} has {layout.at_least}: is the download '
            'whole?'
        )


def _convert(converter: Converter, root: Path, truth: str) -> tuple[str, bool]:
    """Path of the converted file ('' if it has no depth map), and whether it is new."""
    stem = f'{CONVERTED}/{os.path.splitext(truth)[0]}'
    for suffix in ('.npy', '.png'):
        if (root / f'{stem}{suffix}').exists():
            return f'{stem}{suffix}', False
    values = converter(root / truth)
    if values is None:
        return '', False
    if values.dtype.kind == 'u':
        write_image(check_stays_inside(root / f'{stem}.png', root), values)
        return f'{stem}.png', True
    write_npy(check_stays_inside(root / f'{stem}.npy', root), values, parents=True)
    return f'{stem}.npy', True
