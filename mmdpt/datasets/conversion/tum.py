"""Pair the images and depth of TUM RGB-D sequences by time stamp."""

import bisect
from dataclasses import dataclass
from pathlib import Path

from mmdpt.errors import InputError
from mmdpt.files.list_files import parse_each, read_lines
from mmdpt.files.paths import check_exists, missing_files, name_some, path_below

from .kept_files import PREPARATION, Report, write_csv

LIST_FILE = 'associated.csv'
DEPTH_SCALE = 5000
"""Units per metre in the PNGs of all sequences (the benchmark's page on file formats)."""

MAX_DIFFERENCE = 0.02
"""Time [s] within which the benchmark's associate.py pairs frames."""

# fx fy cx cy [px] of the colour cameras: github.com/raulmur/ORB_SLAM2, Examples/RGB-D/TUM*.yaml,
# which copies the benchmark's calibration. Distortion is not taken out of the images.
_INTRINSICS = {
    'freiburg1': (517.306408, 516.469215, 318.643040, 255.313989),
    'freiburg2': (520.908620, 521.007327, 325.141442, 249.701764),
    'freiburg3': (535.4, 539.2, 320.1, 247.6),
}


@dataclass(frozen=True)
class TUMSummary:
    """Number of pairs in all sequences, and of colour frames without a depth frame in time."""

    num_pairs: int
    num_unpaired: int


def convert_tum(sequences: list[str | Path], progress: Report | None = None) -> TUMSummary:
    """Write ``associated.csv`` for ``DepthListDataset`` into each sequence's folder.

    Args:
        sequences: Folders as unpacked, with rgb.txt and depth.txt. The camera's intrinsics are
            listed if the folder's name holds 'freiburg1', 'freiburg2' or 'freiburg3'.

    Raises:
        InputError: If a folder, a list or a listed file is missing, a line cannot be parsed, or no
            two frames are near enough in time.
    """
    pairs = unpaired = 0
    for done, sequence in enumerate(sequences, start=1):
        folder = check_exists(sequence, 'sequence', PREPARATION)
        colour, depth = (_read_stamps(folder / name) for name in ('rgb.txt', 'depth.txt'))
        matches = associate([time for time, _ in colour], [time for time, _ in depth])
        if not matches:
            raise InputError(
                f'{folder}: no depth frame within {MAX_DIFFERENCE} s of a colour frame'
            )
        listed = [(colour[i][1], depth[j][1]) for i, j in matches]
        missing = missing_files(str(folder / path) for pair in listed for path in pair)
        if missing:
            raise InputError(
                f'{len(missing)} files that {folder} lists do not exist:'
                f'{name_some(sorted(missing))}'
            )
        known = [numbers for name, numbers in _INTRINSICS.items() if name in folder.resolve().name]
        intrinsics = ' '.join(f'{number:.9g}' for number in known[0]) if known else ''
        write_csv(
            folder / LIST_FILE,
            ('image', 'depth', 'scale', 'intrinsics'),
            [(*pair, DEPTH_SCALE, intrinsics) for pair in listed],
        )
        pairs += len(matches)
        unpaired += len(colour) - len(matches)
        if progress is not None:
            progress(done, len(sequences))
    return TUMSummary(pairs, unpaired)


def associate(first: list[float], second: list[float]) -> list[tuple[int, int]]:
    """Pair time stamps [s] less than 0.02 s apart, the nearest first, each used once.

    Returns:
        Indices into both lists, by the time of the first.
    """
    order = sorted(range(len(second)), key=second.__getitem__)
    times = [second[j] for j in order]
    near = []
    for i, time in enumerate(first):
        start = bisect.bisect_left(times, time - MAX_DIFFERENCE)
        stop = bisect.bisect_right(times, time + MAX_DIFFERENCE)
        near += [(abs(time - second[j]), i, j) for j in order[start:stop]]
    taken: dict[int, int] = {}
    used = set()
    for difference, i, j in sorted(near):
        if difference < MAX_DIFFERENCE and i not in taken and j not in used:
            taken[i] = j
            used.add(j)
    return sorted(taken.items(), key=lambda pair: (first[pair[0]], pair))


def _read_stamps(path: Path) -> list[tuple[float, str]]:
    """Time [s] and file of each line that is no comment."""

    def parse(line: str) -> tuple[float, str]:
        try:
            time, name = line.split()
            stamp = float(time), name
        except ValueError as error:
            raise InputError(f'expected "timestamp file", got {line!r}') from error
        path_below(str(path.parent), name)
        return stamp

    check_exists(path, 'list of frames', PREPARATION)
    lines = [(number, line) for number, line in read_lines(path) if not line.startswith('#')]
    return parse_each(path, lines, parse)
