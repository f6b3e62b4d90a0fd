"""Write Eigen's lists in BTS's form for KITTI's raw images and annotated depth."""

import re
from dataclasses import dataclass
from pathlib import Path

from mmdpt.datasets.depth_dataset import NO_DEPTH
from mmdpt.errors import InputError
from mmdpt.files.list_files import parse_each, read_lines
from mmdpt.files.paths import check_exists, missing_files, name_some

from .kept_files import PREPARATION, Report, write_text

IMAGES, DEPTH = 'raw', 'data_depth_annotated'
"""Folders below the root, as ``KITTIDepthDataset`` expects them."""

TEST_IMAGES, TEST_WITH_DEPTH = 697, 652

# github.com/mrharicot/monodepth, utils/filenames/eigen_test_files.txt: left and right image
_MONODEPTH = re.compile(
    r'(\d{4}_\d{2}_\d{2})/(\1_drive_\d{4}_sync)/image_0([23])/data/(\d{10})\.(?:png|jpg)'
)
# github.com/nianticlabs/monodepth2, splits/eigen/test_files.txt: folder, frame, side
_MONODEPTH2 = re.compile(r'(\d{4}_\d{2}_\d{2})/(\1_drive_\d{4}_sync)\s+(\d+)\s+([lr])')
_CAMERA = {'l': '2', 'r': '3'}


@dataclass(frozen=True)
class Frame:
    """A picture of KITTI raw; camera 2 is the left colour camera, camera 3 the right one."""

    date: str
    drive: str
    camera: str
    number: int

    @property
    def image(self) -> str:
        """Path below the raw data, without suffix."""
        return f'{self.date}/{self.drive}/image_0{self.camera}/data/{self.number:010d}'

    @property
    def depth(self) -> str:
        """Path below 'train' or 'val' of the annotated depth."""
        return f'{self.drive}/proj_depth/groundtruth/image_0{self.camera}/{self.number:010d}.png'


@dataclass(frozen=True)
class KITTISummary:
    """Number of lines in the list, and of those with ground truth."""

    num_images: int
    num_with_depth: int


def convert_kitti(
    root: str | Path,
    split_file: str | Path,
    list_file: str | Path,
    is_test: bool,
    progress: Report | None = None,
) -> KITTISummary:
    """Write a list of lines 'image depth focal' for ``KITTIDepthDataset``.

    Images are below ``root/raw`` as downloaded: 'date/drive/image_02/data/0000000069' with '.png'
    or '.jpg', and 'date/calib_cam_to_cam.txt' beside the drives. Depth is below
    ``root/data_depth_annotated``, in 'train', 'val' or directly. A frame without depth, such as
    the first and last five of each drive, gets 'None'. The focal length [px] is that of the
    rectified camera.

    Args:
        root: Folder of both downloads.
        split_file: File with lines of monodepth ('date/drive/image_02/data/0000000069.png ...',
            where only the first column is read) or of monodepth2 ('date/drive 69 l').
        list_file: File to write.
        is_test: Whether it is Eigen's test split: 697 images, 652 with depth.

    Raises:
        InputError: If a folder, an image or a calibration is missing, a line cannot be parsed, no
            depth is found, or the test split does not have 697 images and 652 with depth.
    """
    raw = check_exists(Path(root, IMAGES), 'folder of the raw images', PREPARATION)
    annotated = check_exists(Path(root, DEPTH), 'folder of the annotated depth', PREPARATION)
    frames = read_split(split_file)
    if is_test and len(frames) != TEST_IMAGES:
        raise InputError(f"{split_file} has {len(frames)} images, Eigen's test split {TEST_IMAGES}")
    images = _find(raw, [(f'{f.image}.png', f'{f.image}.jpg') for f in frames])
    absent = [frame.image for frame, image in zip(frames, images, strict=True) if image is None]
    if absent:
        raise InputError(f'{len(absent)} images are missing below {raw}:{name_some(absent)}')
    depths = _find(annotated, [(f'train/{f.depth}', f'val/{f.depth}', f.depth) for f in frames])
    focals: dict[tuple[str, str], float] = {}
    lines = []
    for done, (frame, image, depth) in enumerate(zip(frames, images, depths, strict=True), start=1):
        camera = frame.date, frame.camera
        if camera not in focals:
            focals[camera] = read_focal(raw / frame.date / 'calib_cam_to_cam.txt', frame.camera)
        lines.append(f'{image} {depth or NO_DEPTH} {focals[camera]:.7g}\n')
        if progress is not None:
            progress(done, len(frames))
    with_depth = sum(depth is not None for depth in depths)
    _check_depth(annotated, frames, depths, with_depth, is_test)
    write_text(Path(list_file), ''.join(lines))
    return KITTISummary(len(frames), with_depth)


def read_split(path: str | Path) -> list[Frame]:
    """Read a split file of monodepth or monodepth2.

    Raises:
        InputError: If it is missing or empty, or a line is of neither form.
    """
    check_exists(path, 'split file', PREPARATION)
    frames = parse_each(path, read_lines(path), _parse_frame)
    if not frames:
        raise InputError(f'split file {path} names no image')
    return frames


def _parse_frame(line: str) -> Frame:
    if match := _MONODEPTH.fullmatch(line.split()[0]):
        date, drive, camera, frame = match.groups()
    elif match := _MONODEPTH2.fullmatch(line):
        date, drive, frame, side = match.groups()
        camera = _CAMERA[side]
    else:
        raise InputError(
            'expected "date/drive_sync/image_02/data/0000000069.png" (monodepth) or '
            f'"date/drive_sync 69 l" (monodepth2), got {line!r}'
        )
    return Frame(date, drive, camera, int(frame))


def read_focal(path: Path, camera: str) -> float:
    """Read the focal length [px] of a rectified colour camera, '2' or '3'.

    Raises:
        InputError: If the file is missing or has no entry for the camera.
    """
    check_exists(path, 'calibration', PREPARATION)
    key = f'P_rect_0{camera}:'
    for _, line in read_lines(path):
        if line.startswith(key):
            try:
                return float(line.split()[1])
            except (IndexError, ValueError) as error:
                raise InputError(f'calibration {path}: no number in {line!r}') from error
    raise InputError(f'calibration {path} has no {key[:-1]}')


def _find(root: Path, candidates: list[tuple[str, ...]]) -> list[str | None]:
    """For each image the first of its candidate paths that is a file below the root."""
    missing = missing_files(str(root / path) for paths in candidates for path in paths)
    return [
        next((path for path in paths if str(root / path) not in missing), None)
        for paths in candidates
    ]


def _check_depth(
    root: Path, frames: list[Frame], depths: list[str | None], with_depth: int, is_test: bool
) -> None:
    if with_depth == TEST_WITH_DEPTH if is_test else with_depth > 0:
        return
    found = {frame.drive for frame, depth in zip(frames, depths, strict=True) if depth}
    drives = sorted({frame.drive for frame in frames} - found)
    named = f'; no depth at all for {len(drives)} drives:{name_some(drives)}' if drives else ''
    raise InputError(
        f'{with_depth} of {len(frames)} images have depth below {root}, expected '
        f'{TEST_WITH_DEPTH if is_test else "some"}{named}'
    )
