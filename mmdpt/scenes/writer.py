"""Write the scenes data set: ADE20K's folders for segmentation, NYU's for depth."""

import json
import multiprocessing
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdpt.errors import InputError
from mmdpt.scenes.cores import usable_cores

from .composition import SPLITS, render_sample
from .geometry import Array, Camera

FORMAT_VERSION = 2
"""Count up when a scene, its rendering or the layout changes: older data sets are rewritten."""

MARKER = 'scenes.json'
JPEG_QUALITY = 92
DEPTH_UNIT = 1000
"""Depth files count in millimetres, 0 where there is no depth."""

_NYU_SPLITS = dict(zip(SPLITS, ('train', 'test'), strict=True))
_SCENE_NAME, _NYU_NAME = r'scene_\d{8}', r'(playroom|street)_\d{4}_\d{5,}'


@dataclass(frozen=True)
class ScenesSummary:
    """What ``write_scenes`` did; ``written`` is false if the data set was there already."""

    num_train: int
    num_val: int
    seconds: float
    written: bool


def write_scenes(
    root: str | Path,
    num_train: int = 960,
    num_val: int = 60,
    size: tuple[int, int] = (320, 240),
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScenesSummary:
    """Render rooms and streets into a folder, or return at once if they are there.

    Layout below ``root``::

        images/{training,validation}/scene_00000001.jpg        as ADE20K
        annotations/{training,validation}/scene_00000001.png   8 bit, 1 to 12, 0 unused
        nyu/images/{train,test}/playroom_0001_00001.jpg        the same pictures, hard links
        nyu/annotations/{train,test}/playroom_0001_00001.png   16 bit, z-depth [mm], 0 = none
        intrinsics.json                                        fx, fy, cx, cy [px]
        scenes.json                                            written last: all is there

    Odd numbers are rooms (NYU's category 'playroom'), even ones streets ('street', which is none
    of NYU's, so that ``NYUDataset`` gives it the category -1). A pixel has no depth in the sky
    and beyond 65.535 m. An image depends on seed, split, number and size only, not on ``workers``.

    Args:
        root: Folder to write; made if missing. Files of another origin are never removed.
        num_train: Number of training images.
        num_val: Number of validation images.
        size: Width and height [px].
        seed: Another seed, another data set.
        workers: Number of processes; default: one for each usable core.
        progress: Called as ``progress(images_done, images_in_all)``.

    Raises:
        ValueError: If a count, a size or ``workers`` is not positive, or the seed is negative.
        InputError: If an image folder below ``root`` holds files that are not of this data set.
    """
    start = time.perf_counter()
    root = Path(root)
    for name, value, least in (
        ('num_train', num_train, 1),
        ('num_val', num_val, 1),
        ('size', min(size), 1),
        ('seed', seed, 0),
        ('workers', 1 if workers is None else workers, 1),
    ):
        if value < least:
            raise ValueError(f'{name} must be at least {least}, got {value}')
    counts = dict(zip(SPLITS, (num_train, num_val), strict=True))
    marker = {'version': FORMAT_VERSION, 'seed': seed, 'size': list(size), 'counts': counts}
    written = not _is_complete(root, marker)
    if written:
        _clear(root)
        jobs = [(split, k) for split, count in counts.items() for k in range(count)]
        write = partial(_write_sample, root, seed, (size[0], size[1]))
        for done, _ in enumerate(_run(write, jobs, workers or usable_cores()), start=1):
            if progress is not None:
                progress(done, len(jobs))
        _write_json(root / 'intrinsics.json', intrinsics(size))
        _write_json(root / MARKER, marker)
    return ScenesSummary(num_train, num_val, time.perf_counter() - start, written)


def intrinsics(size: tuple[int, int]) -> dict[str, float]:
    """Focal lengths and principal point [px] of every picture of a (width, height)."""
    camera = Camera((0, 0, 0), 0, 0, 0, (size[0], size[1]))
    column, row = camera.principal_point
    return {'fx': camera.focal, 'fy': camera.focal, 'cx': column, 'cy': row}


def encode_depth(depth: NDArray[np.float32] | Array) -> NDArray[np.uint16]:
    """Depth [m], NaN = invalid, to whole millimetres; 0 = invalid or not in 16 bits."""
    millimetres = np.round(np.nan_to_num(depth.astype(np.float64)) * DEPTH_UNIT)
    return np.where(millimetres > np.iinfo(np.uint16).max, 0, millimetres).astype(np.uint16)


def _write_sample(root: Path, seed: int, size: tuple[int, int], job: tuple[str, int]) -> None:
    split, index = job
    view, rendering = render_sample(seed, split, index, size)
    name = f'scene_{index + 1:08d}'
    nyu_split = _NYU_SPLITS[split]
    nyu_name = f'{view.place}_{1 + SPLITS.index(split):04d}_{index + 1:05d}'
    image = root / 'images' / split / f'{name}.jpg'
    _write_image(image, rendering.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    _write_image(root / 'annotations' / split / f'{name}.png', rendering.labels)
    depth = encode_depth(rendering.depth)
    _write_image(root / 'nyu' / 'annotations' / nyu_split / f'{nyu_name}.png', depth)
    link = root / 'nyu' / 'images' / nyu_split / f'{nyu_name}.jpg'
    try:
        os.link(image, link)
    except OSError:  # a file system without hard links
        shutil.copyfile(image, link)


def _write_image(path: Path, pixels: NDArray, options: Iterable[int] = ()) -> None:
    encoded, data = cv2.imencode(path.suffix, pixels, list(options))
    if not encoded:
        raise OSError(f'OpenCV cannot encode {path}')
    path.write_bytes(data.tobytes())


def _write_json(path: Path, content: dict) -> None:
    """Write under another name first: the file is whole or absent."""
    unfinished = path.with_suffix('.tmp')
    unfinished.write_text(json.dumps(content, indent=2) + '\n')
    os.replace(unfinished, path)


def _run(
    write: Callable[[tuple[str, int]], None], jobs: list[tuple[str, int]], workers: int
) -> Iterable[None]:
    if workers == 1:
        return map(write, jobs)
    return _run_in_processes(write, jobs, workers)


def _run_in_processes(
    write: Callable[[tuple[str, int]], None], jobs: list[tuple[str, int]], workers: int
) -> Iterable[None]:
    # fork where there is one: a spawned process would import torch before its first picture
    method = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else None
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        yield from pool.map(write, jobs, chunksize=2)


def _folders(root: Path) -> dict[Path, tuple[str, str]]:
    """The data set's folders, each with its split and the pattern of its file names."""
    folders = {}
    for split in SPLITS:
        nyu = _NYU_SPLITS[split]
        folders[root / 'images' / split] = split, rf'{_SCENE_NAME}\.jpg'
        folders[root / 'annotations' / split] = split, rf'{_SCENE_NAME}\.png'
        folders[root / 'nyu' / 'images' / nyu] = split, rf'{_NYU_NAME}\.jpg'
        folders[root / 'nyu' / 'annotations' / nyu] = split, rf'{_NYU_NAME}\.png'
    return folders


def _is_complete(root: Path, marker: dict) -> bool:
    """Whether the marker is there, says the same, and no file has gone since."""
    with suppress(OSError, ValueError):
        if json.loads((root / MARKER).read_text()) == marker:
            return all(
                len(os.listdir(folder)) >= marker['counts'][split]
                for folder, (split, _) in _folders(root).items()
            )
    return False


def _clear(root: Path) -> None:
    """Make the folders and remove an earlier data set's files from them, the marker first."""
    own = []
    for folder, (_, pattern) in _folders(root).items():
        for path in folder.iterdir() if folder.exists() else ():
            if not re.fullmatch(pattern, path.name):
                raise InputError(
                    f'{path} is not a file of the scenes data set; give a folder of its own, '
                    f'not {root}'
                )
            own.append(path)
    (root / MARKER).unlink(missing_ok=True)
    for path in own:
        path.unlink()
    for folder in _folders(root):
        folder.mkdir(parents=True, exist_ok=True)
