"""List the files of a data set, and check its folders and files, before training starts."""

import os
from collections.abc import Collection, Sequence
from functools import cache

from mmengine.fileio import list_dir_or_file
from mmengine.logging import print_log

from mmdpt.errors import InputError
from mmdpt.files.paths import check_exists, is_address, missing_files, name_some

PREPARATION = 'how to prepare data: docs/datasets.md'
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
"""What counts as an image, in upper or lower case, where the config names no suffix."""


def check_folders(data_root: str | None, data_prefix: dict, ann_file: str) -> None:
    """Check that root, folders and list file exist, as far as they are local.

    Raises:
        InputError: If one does not exist; names the first.
    """
    hint = (
        f'{PREPARATION}; another place: --cfg-options '
        'train_dataloader.dataset.data_root=... (and val_, test_)'
    )
    named = [('data root', data_root), *data_prefix.items(), ('list file', ann_file)]
    for what, path in named:
        if path and not is_address(path):
            check_exists(path, what, hint)


def suffixes_of(given: str | None, default: str) -> tuple[str, ...]:
    """Give the suffixes of a data set's images: the given one, or any where '.jpg' is usual."""
    if given is None and default in IMAGE_SUFFIXES:
        return IMAGE_SUFFIXES
    return (default if given is None else given,)


def list_images(
    folder: str, suffixes: Sequence[str], backend_args: dict | None = None
) -> tuple[list[tuple[str, str]], list[str]]:
    """List the files below a folder that are not hidden.

    Args:
        folder: The folder, or an address.
        suffixes: Suffixes of images, which may be in the other case.
        backend_args: Arguments of MMEngine's file backend.

    Returns:
        Name without suffix and suffix of the images, in order; paths of the other files.

    Raises:
        InputError: If there is no image.
    """
    images, others = [], []
    for name in sorted(
        list_dir_or_file(folder, list_dir=False, recursive=True, backend_args=backend_args)
    ):
        suffix = next((s for s in suffixes if name.lower().endswith(s.lower())), None)
        if suffix is None:
            others.append(os.path.join(folder, name))
        else:
            end = len(name) - len(suffix)
            images.append((name[:end], name[end:]))
    if not images:
        raise InputError(f'no image *{", *".join(suffixes)} in {folder}; {PREPARATION}')
    return images, others


def files_left_out(paths: Collection[str], data_list: Sequence[dict]) -> list[str]:
    """Give, and log, the files beside the images that belong to none of them."""
    used = {path for info in data_list for key, path in info.items() if key.endswith('_path')}
    left = [path for path in paths if path not in used]
    if left:
        text = f'{len(left)} files have another suffix than the images and are left out:'
        print_log(text + name_some(left), logger='current')
    return left


def correct_suffixes(
    data_list: Sequence[dict], key: str, suffix: str, others: Sequence[str] = ()
) -> None:
    """Where a file is missing, take that with the suffix in the other case, or another suffix.

    Args:
        data_list: Entries, changed in place.
        key: Key of the path.
        suffix: Suffix that the paths have.
        others: Further suffixes that the files may have.
    """

    @cache
    def files(folder: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            for ending in (suffix, *others):
                if name.lower().endswith(ending.lower()):
                    found.setdefault(name[: len(name) - len(ending)], name)
        return found

    missing = missing_files(info[key] for info in data_list if info.get(key))
    for info in data_list:
        if info.get(key) in missing:
            folder, name = os.path.split(info[key])
            found = files(folder).get(name[: len(name) - len(suffix)])
            if found is not None:
                info[key] = os.path.join(folder, found)


def check_images_exist(data_list: list[dict]) -> None:
    """Check that the listed images exist.

    Raises:
        InputError: If some do not; names them.
    """
    missing = missing_files(info['img_path'] for info in data_list)
    if missing:
        names = [info['img_path'] for info in data_list if info['img_path'] in missing]
        raise InputError(f'{len(names)} listed images do not exist:{name_some(names)}')


def check_labels_exist(
    data_list: list[dict], key: str = 'seg_map_path', what: str = 'label'
) -> None:
    """Check that every image has the file that its entry names under ``key``, if any.

    Raises:
        InputError: If some do not; names the images and the expected files.
    """
    missing = missing_files(info[key] for info in data_list if info.get(key))
    unpaired = [
        f'{info["img_path"]} (expected {info[key]})'
        for info in data_list
        if info.get(key) in missing
    ]
    if unpaired:
        raise InputError(f'{len(unpaired)} images have no {what}:{name_some(unpaired)}')
