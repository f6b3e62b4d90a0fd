"""Find the images that a person names, and give each a distinct name."""

import glob
import http.client
import os
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib import request
from urllib.parse import quote, unquote

import numpy as np
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor

from mmdpt.errors import InputError, check_choice
from mmdpt.files.addresses import check_address, open_address
from mmdpt.files.paths import name_some

from .images import ChannelOrder, as_rgb, decode_image, read_image
from .video import is_video

IMAGE_SUFFIXES = (
    *('.avif', '.bmp', '.gif', '.jp2', '.jpeg', '.jpg'),
    *('.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp'),
)
EXPECTED = (
    'an image file, a folder, a glob, an https address, an array, a PIL image, a tensor, or a '
    'list of these'
)
GREATEST_DOWNLOAD = 128 << 20
"""Most bytes that are fetched from one address."""
LONGEST_NAME = 180
"""Most bytes of a name in UTF-8; file systems allow 255, and a suffix follows."""


class NamedImage(NamedTuple):
    """An image that has not been read yet.

    Args:
        name: Stem for the files that are written for it. It differs from the others of its source,
            even if case is ignored. It may contain dots: append a suffix, do not replace one.
        source: Path, address or 'array 3', for messages.
        load: Gives (H, W, 3) uint8 RGB, or raises an InputError that names the source.
    """

    name: str
    source: str
    load: Callable[[], np.ndarray]


class _Found(NamedTuple):
    """An image before names are made distinct; an image in memory has no path."""

    path: PurePosixPath | None
    source: str
    load: Callable[[], np.ndarray]


def find_images(source: Any, channel_order: ChannelOrder = 'rgb') -> list[NamedImage]:
    """List the images of a source; each is read when its ``load`` is called.

    Args:
        source: Path of an image file; folder, with the files of ``IMAGE_SUFFIXES`` in it and in its
            subfolders, in natural order and without hidden ones; glob ('**' spans folders), in the
            same way; https address, or http address of this machine; array, PIL image or tensor,
            see ``as_rgb``; array (N, H, W, C) or tensor (N, C, H, W); list or tuple of these.
        channel_order: 'rgb' or 'bgr', for arrays and tensors.

    Returns:
        Images that are named by the stems of their files. If two have the same stem, the folder is
        put before it ('a-x', 'b-x'); if these are the same too, the suffix follows ('x-jpg').

    Raises:
        InputError: If there is nothing at a path, or no image in a folder, glob, list or batch; if
            an address has another scheme; for a video and for other types.
        ValueError: If the channel order is unknown.
    """
    check_choice('channel_order', channel_order, ('rgb', 'bgr'))
    found = list(_find(source, channel_order))
    if not is_single(source):
        found = [_numbered(item, index) for index, item in enumerate(found)]
    paths = [item.path or PurePosixPath('/', item.source.replace(' ', '-')) for item in found]
    return [
        NamedImage(name, item.source, partial(_load, item))
        for name, item in zip(_distinct_names(paths), found, strict=True)
    ]


def is_single(source: Any) -> bool:
    """Whether a source names one image: no folder, glob, list, batch or video."""
    if isinstance(source, np.ndarray | Tensor):
        return source.ndim != 4
    if not isinstance(source, str | os.PathLike):
        return isinstance(source, Image.Image)
    path = _expanded(source)
    return _is_address(path) or not (is_video(path) or os.path.isdir(path) or _is_glob(path))


def _find(source: Any, channel_order: ChannelOrder) -> Iterator[_Found]:
    if isinstance(source, str | os.PathLike):
        yield from _find_by_name(_expanded(source))
    elif isinstance(source, list | tuple):
        if not source:
            raise InputError('the list of images is empty')
        for item in source:
            yield from _find(item, channel_order)
    elif isinstance(source, np.ndarray | Tensor) and source.ndim == 4:
        if not len(source):
            raise InputError(f'a batch without images: {tuple(source.shape)}')
        for item in source:
            yield from _find(item, channel_order)
    elif isinstance(source, np.ndarray):
        yield _Found(None, 'array', partial(as_rgb, source, channel_order))
    elif isinstance(source, Tensor):
        yield _Found(None, 'tensor', partial(as_rgb, source, channel_order))
    elif isinstance(source, Image.Image):
        yield _Found(None, 'image', partial(as_rgb, source))
    else:
        raise InputError(f'expected {EXPECTED}, received {type(source).__name__}')


def _numbered(item: _Found, index: int) -> _Found:
    return item if item.path else item._replace(source=f'{item.source} {index}')


def _load(item: _Found) -> np.ndarray:
    try:
        return item.load()
    except InputError as error:
        if item.path:  # and names its source already
            raise
        raise InputError(f'{item.source}: {error}') from error


def _find_by_name(name: str) -> Iterator[_Found]:
    if _is_address(name):
        yield _Found(_address_as_path(name), name, lambda: decode_image(_fetch(name), name))
        return
    if is_video(name):
        raise InputError(f'{name} is a video, not an image; it is predicted by itself')
    if os.path.isdir(name):
        files = list(_files_below(name))
        paths = [path for path in files if _is_image(path)]
        _name_left_out(name, sorted({*files} - {*paths}))
        lacking = f'the folder {name} has no image ({", ".join(IMAGE_SUFFIXES)})'
    elif _is_glob(name):
        paths = [path for path in glob.iglob(name, recursive=True) if _is_image(path)]
        lacking = f'no image matches {name} ({", ".join(IMAGE_SUFFIXES)})'
    else:
        paths = [name] if os.path.exists(name) else []
        lacking = f'no image, folder or match of a glob: {name!r}'
    if not paths:
        raise InputError(lacking)
    for found in sorted(paths, key=_natural_key):
        path = PurePosixPath('/', Path(os.path.abspath(found)).as_posix().lstrip('/'))
        yield _Found(path, found, partial(read_image, found))


def _address_as_path(address: str) -> PurePosixPath:
    parts = check_address(
        address, 'an address of an image begins with https://, or http:// on this machine'
    )
    return PurePosixPath('/', parts.hostname or '', unquote(parts.path).strip('/'))


def _expanded(name: str | os.PathLike) -> str:
    return os.path.expanduser(os.fsdecode(name))


def _is_address(name: str) -> bool:
    return '://' in name and not os.path.exists(name)


def _is_glob(name: str) -> bool:
    """Whether a name is a pattern; an existing file 'a[1].jpg' is none."""
    return glob.has_magic(name) and not os.path.exists(name)


def _files_below(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith('.')]
        for name in files:
            path = os.path.join(place, name)
            if not name.startswith('.') and not os.path.isdir(path):
                yield path


def _name_left_out(folder: str, paths: list[str]) -> None:
    if paths:
        suffixes = ', '.join(sorted({Path(path).suffix or 'no suffix' for path in paths}))
        print_log(
            f'{len(paths)} files in {folder} have no suffix of an image ({suffixes}) and are left '
            f'out:{name_some(paths)}',
            'current',
        )


def _refuse(error: OSError) -> None:
    raise InputError(f'the folder {error.filename} cannot be read: {error.strerror}') from error


def _is_image(path: str) -> bool:
    return path.lower().endswith(IMAGE_SUFFIXES) and not os.path.isdir(path)


def _natural_key(path: str) -> tuple:
    """Order 'frame2' before 'frame10', and a folder's files together."""
    parts = path.split(os.sep)
    numbers = [
        [int(part) if index % 2 else part for index, part in enumerate(re.split(r'(\d+)', name))]
        for name in (part.casefold() for part in parts)
    ]
    return numbers, parts


def _distinct_names(paths: Sequence[PurePosixPath]) -> list[str]:
    """Give files distinct names, with as little of their paths as needed.

    The names depend on the set of files, not on their order.
    """
    folders = defaultdict(list)
    for path in paths:
        folders[_safe(path.stem).casefold()].append(str(path.parent))
    commons = {stem: posixpath.commonpath(among) for stem, among in folders.items()}
    choices = []
    for path in paths:
        common = commons[_safe(path.stem).casefold()]
        by_folder = '-'.join([*path.parent.relative_to(common).parts, path.stem])
        with_suffix = '-'.join([by_folder, path.suffix[1:]]) if path.suffix else by_folder
        choices.append([_safe(name) for name in (path.stem, by_folder, with_suffix)])
    levels = [0] * len(paths)
    while True:
        names = [choice[level] for choice, level in zip(choices, levels, strict=True)]
        times = Counter(name.casefold() for name in names)
        again = [i for i, name in enumerate(names) if times[name.casefold()] > 1 and levels[i] < 2]
        if not again:
            return _with_numbers(names, paths)
        for index in again:
            levels[index] += 1


def _with_numbers(names: list[str], paths: Sequence[PurePosixPath]) -> list[str]:
    """Number files that still share a name: one given twice, addresses with different queries."""
    sharing: dict[str, list[int]] = defaultdict(list)
    for index in sorted(range(len(names)), key=lambda index: str(paths[index])):
        sharing[names[index].casefold()].append(index)
    taken = set(sharing)
    distinct = list(names)
    for _, (_, *others) in sorted(sharing.items()):
        number = 2
        for index in others:
            while (name := f'{names[index]}-{number}').casefold() in taken:
                number += 1
            taken.add(name.casefold())
            distinct[index] = name
    return distinct


def _safe(name: str) -> str:
    """Turn a name into a safe file stem: no path, not hidden, allowed by file systems."""
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]+', '-', name)
    end = name.encode(errors='ignore')[-LONGEST_NAME:].decode(errors='ignore')
    return end.strip('.- ') or 'image'


def _fetch(address: str) -> bytes:
    """Fetch an address into memory, see ``open_address``."""
    try:
        asked = request.Request(
            quote(address, safe="%/:=&?~#+!$,;'@()*[]"), headers={'User-Agent': 'mmdpt'}
        )
        with open_address(asked) as response:
            length = int(response.headers.get('Content-Length') or 0)
            data = b'' if length > GREATEST_DOWNLOAD else response.read(GREATEST_DOWNLOAD + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise InputError(f'cannot fetch {address}: {error}') from error
    if max(length, len(data)) > GREATEST_DOWNLOAD:
        raise InputError(
            f'{address} has more than {GREATEST_DOWNLOAD} bytes; fetch it elsewhere and give its '
            'path'
        )
    if len(data) < length:
        raise InputError(f'cannot fetch {address}: stopped after {len(data)} of {length} bytes')
    return data
