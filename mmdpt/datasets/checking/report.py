"""Format what was found in the splits as a table, notes and troubles."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from mmdpt.datasets.label_values import IGNORE_INDEX
from mmdpt.files.paths import name_some

from .sample_files import Reading
from .splits import SplitReport

NONE = '-'


def format_report(reports: Sequence[SplitReport]) -> str:
    """Format the splits side by side, then notes and up to 20 troubles of each kind."""
    lines = [_table([_column(report) for report in reports])]
    lines += [f'note: {report.name}: {note}' for report in reports for note in _notes(report)]
    for report in reports:
        for kind in dict.fromkeys(trouble.kind for trouble in report.troubles):
            texts = [trouble.text for trouble in report.troubles if trouble.kind == kind]
            lines.append(f'trouble: {report.name}: {kind} ({len(texts)}){name_some(texts)}')
    return '\n'.join(lines)


def _table(columns: Sequence[dict[str, str]]) -> str:
    titles = list(columns[0])
    widths = [max(len(cell) for cell in column.values()) for column in columns]
    lines = []
    for title in titles:
        if all(column[title] == NONE for column in columns):
            continue
        cells = [column[title].ljust(width) for column, width in zip(columns, widths, strict=True)]
        lines.append('   '.join([title.ljust(max(map(len, titles))), *cells]).rstrip())
    return '\n'.join(lines)


def _column(report: SplitReport) -> dict[str, str]:
    """Cells of a split's column, by the row's title."""
    repeated = report.num_samples != report.num_entries
    outputs = [sample['inputs'].shape for _, sample in report.samples]
    kinds = [trouble.kind for trouble in report.troubles]
    return {
        '': report.name,
        'samples': str(report.num_samples) + (f' ({report.num_entries} files)' if repeated else ''),
        'samples read': str(len(report.readings)),
        'paired with': ', '.join(f'{what} {n}' for what, n in report.pairs.items()) or NONE,
        'image size [px]': _sizes([r.size for r in report.readings if r.size]),
        'pairs of unequal size': str(kinds.count('size')),
        **_label_rows(report),
        **_depth_rows(report),
        'maps without valid pixel': str(sum(map(_empty_maps, report.readings))),
        'size after pipeline [px]': _sizes([(shape[-1], shape[-2]) for shape in outputs]),
        'troubles': str(len(report.troubles)),
    }


def _label_rows(report: SplitReport) -> dict[str, str]:
    counts = _label_counts(report)
    values, share = NONE, NONE
    if counts.any():
        values = _ranges([k for k in np.flatnonzero(counts).tolist() if k != IGNORE_INDEX])
        share = f'{1 - counts[IGNORE_INDEX] / counts.sum():.1%}'
    held: Counter[int] = sum((reading.file_values for reading in report.readings), Counter())
    return {
        'values in the files': _shares(held) or NONE,
        'labels seen': values or NONE,
        'labels not ignored': share,
    }


def _shares(counts: Counter[int]) -> str:
    """Write sorted values; up to three with their shares of the pixels."""
    if len(counts) > 3:
        return _ranges(sorted(counts))
    total = sum(counts.values())
    return ', '.join(f'{value} ({counts[value] / total:.1%})' for value in sorted(counts))


def _depth_rows(report: SplitReport) -> dict[str, str]:
    readings = [r for r in report.readings if r.depth_values is not None]
    depth = np.concatenate([np.zeros(0), *(r.depth_values for r in readings)])  # type: ignore[arg-type]
    median, ends, share = NONE, NONE, NONE
    if depth.size:
        unit = 'm' if all(r.depth_in_metres for r in readings) else '(no unit)'
        median = f'{np.median(depth):.3g} {unit}'
        ends = f'{depth.min():.3g} .. {depth.max():.3g} {unit}'
    if readings:
        share = f'{np.mean([r.depth_share for r in readings]):.1%}'
    return {'median depth': median, 'range of depth': ends, 'pixels with depth': share}


def _empty_maps(reading: Reading) -> int:
    """Number of a sample's maps without any valid pixel, even if the loader allows them."""
    labels, depth = reading.labels, reading.depth_values
    no_label = labels is not None and labels.sum() == labels[IGNORE_INDEX]
    return int(no_label) + int(depth is not None and not depth.size)


def _notes(report: SplitReport) -> Iterator[str]:
    """Findings that are no trouble by themselves."""
    classes = report.metainfo.get('classes') or ()
    counts = _label_counts(report)
    if counts.any() and not counts[: len(classes)].all():
        unseen = [name for name, count in zip(classes, counts, strict=False) if not count]
        names = name_some([f'{classes.index(name)} {name}' for name in unseen])
        yield f'{len(unseen)} of {len(classes)} classes are not in the samples read:{names}'
    if report.advice:
        yield report.advice
    if report.left_out:
        text = f'{len(report.left_out)} files have another suffix than the images'
        yield f'{text} and are left out:{name_some(report.left_out)}'
    if report.shared_targets:
        yield f'{report.shared_targets} label or depth files belong to several images'


def _label_counts(report: SplitReport) -> np.ndarray:
    """Number of pixels of each label value in the samples read, (256,)."""
    counts = [r.labels for r in report.readings if r.labels is not None]
    return np.sum([np.zeros(256, np.int64), *counts], axis=0)


def _sizes(sizes: Sequence[tuple[int, int]]) -> str:
    """Width x height, each with its range."""
    ends = [
        str(min(side)) if min(side) == max(side) else f'{min(side)}..{max(side)}'
        for side in zip(*sizes, strict=True)
    ]
    return ' x '.join(ends) or NONE


def _ranges(values: Sequence[int]) -> str:
    """Write sorted numbers as '0..3, 5'."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ', '.join(str(run[0]) if len(run) == 1 else f'{run[0]}..{run[-1]}' for run in runs)
