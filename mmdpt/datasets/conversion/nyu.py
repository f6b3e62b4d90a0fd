"""Write NYU Depth v2's labelled images, split officially, to mmseg's folders.

Depth is 16-bit PNG [mm]. The values equal those of BTS's files, which the depth literature tests
on (github.com/cleinc/bts, utils/extract_official_train_test_set_from_mat.py). The names are BTS's
in the form of mmseg's tools/dataset_converters/nyu.py.
"""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdpt.errors import InputError
from mmdpt.files.paths import check_exists, check_stays_inside

from .kept_files import PREPARATION, Report, check_own_data, optional_module, write_image

SPLIT_SIZES = {'train': 795, 'test': 654}
SIZE = (640, 480)
"""Width and height [px]."""

# BTS blackens the white frame around the pictures; rows, then columns that stay.
_INSIDE = np.s_[7:474, 7:632]
_UNITS_PER_METRE = 1000.0
LONGEST_NAME = 100
GREATEST_SPLITS = 1 << 20
"""Numbers of both parts of splits.mat, which has 1449."""


@dataclass(frozen=True)
class LabeledFile:
    """The open nyu_depth_v2_labeled.mat; axes are in MATLAB's order, reversed.

    Args:
        images: (N, 3, W, H) uint8, RGB.
        raw_depths: (N, W, H) float32 [m], projected to the image, 0 = none, nothing filled in.
        scene_types: N names such as 'living_room'.
    """

    images: Any
    raw_depths: Any
    scene_types: Sequence[str]


@dataclass(frozen=True)
class NYUSummary:
    """Number of images, and of those that this call wrote."""

    num_train: int
    num_test: int
    num_written: int


def convert_nyu(
    labeled: str | Path, splits: str | Path, root: str | Path, progress: Report | None = None
) -> NYUSummary:
    """Write images and raw depth of the official split; skip what is there.

    Layout below ``root``, numbers counted from 0 over the whole file::

        images/{train,test}/living_room_00012.jpg         frame of 7 to 8 px blackened as by BTS
        annotations/{train,test}/living_room_00012.png    16 bit [mm], 0 = none

    Args:
        labeled: nyu_depth_v2_labeled.mat.
        splits: splits.mat of the official toolbox.
        root: Folder to write; made if missing.

    Raises:
        InputError: If a file is missing or not what it should be, h5py or scipy is not installed,
            or the folders hold other files.
    """
    root = Path(root)
    numbers = read_splits(splits)
    split_of = {number: split for split, own in numbers.items() for number in own}
    written = 0
    with open_labeled(labeled) as file:
        if set(split_of) != set(range(len(file.scene_types))):
            raise InputError(
                f'{splits} is not the split of {labeled}: {len(split_of)} numbers up to '
                f'{max(split_of) + 1} for {len(file.scene_types)} images'
            )
        for done, (number, split) in enumerate(sorted(split_of.items()), start=1):
            name = f'{file.scene_types[number]}_{number:05d}'
            image = root / 'images' / split / f'{name}.jpg'
            depth = root / 'annotations' / split / f'{name}.png'
            if not (image.exists() and depth.exists()):
                for path, pixels in (
                    (image, encode_image(file.images[number])),
                    (depth, encode_depth(file.raw_depths[number])),
                ):
                    write_image(check_stays_inside(path, root), pixels)
                written += 1
            if progress is not None:
                progress(done, len(split_of))
    for split, own in numbers.items():
        for folder, suffix in (('images', '.jpg'), ('annotations', '.png')):
            _check_count(root / folder / split, suffix, len(own))
    return NYUSummary(len(numbers['train']), len(numbers['test']), written)


def encode_image(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn (3, W, H) RGB to (H, W, 3) BGR with a black frame."""
    upright = np.asarray(image).T[..., ::-1]
    framed = np.zeros_like(upright)
    framed[_INSIDE] = upright[_INSIDE]
    return framed


def encode_depth(depth: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Turn (W, H) [m] to (H, W) whole millimetres, truncated as in BTS; 0 = none."""
    millimetres = np.nan_to_num(np.asarray(depth).T * np.float32(_UNITS_PER_METRE))
    fits = (millimetres >= 0) & (millimetres < 1 + np.iinfo(np.uint16).max)
    return np.where(fits, millimetres, 0).astype(np.uint16)


@contextmanager
def open_labeled(path: str | Path) -> Iterator[LabeledFile]:
    """Open nyu_depth_v2_labeled.mat, which is HDF5.

    Raises:
        InputError: If h5py is not installed, or the file is missing, unreadable or not NYU's.
    """
    check_exists(path, 'labelled NYU file', PREPARATION)
    h5py = optional_module('h5py', 'reading nyu_depth_v2_labeled.mat')
    try:
        file = h5py.File(str(path), 'r')
    except OSError as error:
        raise InputError(f'cannot read {path}: {error}') from error
    with file:
        missing = [key for key in ('images', 'rawDepths', 'sceneTypes') if key not in file]
        if missing:
            raise InputError(f'{path} has no {", ".join(missing)}: is it the labelled data set?')
        images, depths = file['images'], file['rawDepths']
        count = len(file['sceneTypes'][0])
        if images.shape != (count, 3, *SIZE) or depths.shape != (count, *SIZE):
            raise InputError(
                f'{path} has images {images.shape} and rawDepths {depths.shape}: expected '
                f'({count}, 3, {SIZE[0]}, {SIZE[1]}) and ({count}, {SIZE[0]}, {SIZE[1]})'
            )
        for dataset in (images, depths, file['sceneTypes']):
            check_own_data(dataset, path)
        types = [_scene_type(file[reference], path) for reference in file['sceneTypes'][0]]
        yield LabeledFile(images, depths, types)


def _scene_type(codes: Any, path: str | Path) -> str:
    """Read a name such as 'living_room', which becomes one of a file."""
    check_own_data(codes, path)
    name = ''.join(map(chr, np.asarray(codes).ravel())) if codes.size <= LONGEST_NAME else ''
    if not re.fullmatch(r'[A-Za-z0-9_-]+', name):
        raise InputError(f'{path} names a scene type {name[:LONGEST_NAME]!r}: expected one word')
    return name


def read_splits(path: str | Path) -> dict[str, list[int]]:
    """Read the official split from splits.mat, numbers counted from 0.

    Raises:
        InputError: If scipy is not installed, or the file is missing, unreadable, or does not
            name 795 images to train on and 654 others to test on.
    """
    check_exists(path, 'split file', PREPARATION)
    scipy_io = optional_module('scipy.io', 'reading splits.mat')
    try:
        _check_splits_size(scipy_io.whosmat(str(path)), path)
        content = scipy_io.loadmat(str(path), variable_names=['trainNdxs', 'testNdxs'])
    except InputError:
        raise
    except Exception as error:  # scipy raises many kinds for other files
        raise InputError(f'cannot read {path}: {error}') from error
    missing = [key for key in ('trainNdxs', 'testNdxs') if key not in content]
    if missing:
        raise InputError(f'{path} has no {", ".join(missing)}')
    numbers = {split: (content[f'{split}Ndxs'].ravel() - 1).tolist() for split in SPLIT_SIZES}
    sizes = {split: len(set(own)) for split, own in numbers.items()}
    both = set(numbers['train']) & set(numbers['test'])
    if sizes != SPLIT_SIZES or both:
        raise InputError(
            f'{path} has {sizes["train"]} training and {sizes["test"]} test images, {len(both)} in '
            f'both: expected {SPLIT_SIZES["train"]}, {SPLIT_SIZES["test"]} and 0'
        )
    return numbers


def _check_splits_size(variables: list[tuple[str, tuple[int, ...], str]], path: str | Path) -> None:
    """Check the shapes before anything is unpacked: MATLAB compresses its files."""
    for name, shape, _ in variables:
        if name in ('trainNdxs', 'testNdxs') and math.prod(shape) > GREATEST_SPLITS:
            raise InputError(
                f'{path} says that {name} has {math.prod(shape)} numbers, more than the '
                f'{GREATEST_SPLITS} that are read'
            )


def _check_count(folder: Path, suffix: str, expected: int) -> None:
    found = len(list(folder.glob(f'*{suffix}')))
    if found != expected:
        raise InputError(
            f'{folder} holds {found} files *{suffix}, expected {expected}: give a folder of its own'
        )
