"""Segmentation data sets whose files are checked before training starts."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmseg import datasets as mmseg_datasets
from mmseg.datasets import BaseSegDataset

from mmdpt.errors import InputError
from mmdpt.files.list_files import read_text
from mmdpt.registry import DATASETS

PREPARATION = 'docs/datasets.md'
IGNORE_INDEX = 255
MAX_NAMED = 20


def check_folders(data_root: str | None, data_prefix: dict, ann_file: str) -> None:
    """Raise InputError naming the first of root, folders and list file that does not exist."""
    for what, path in (
        ('data root', data_root),
        *((key, path) for key, path in data_prefix.items()),
        ('list file', ann_file),
    ):
        if path and '://' not in path and not Path(path).exists():
            raise InputError(
                f'{what} {path} does not exist; how to prepare data: {PREPARATION}; another '
                'place: --cfg-options train_dataloader.dataset.data_root=... (and val_, test_)'
            )


def missing_files(paths: Iterable[str]) -> set[str]:
    """Return the paths where there is no file; reads each folder once, leaves URLs out."""
    listings: dict[str, set[str]] = {}
    missing = set()
    for path in paths:
        if '://' in path:
            continue
        folder, name = os.path.split(path)
        if folder not in listings:
            listings[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in listings[folder]:
            missing.add(path)
    return missing


def check_below(folder: str | None, paths: Iterable[str]) -> None:
    """Raise InputError naming a path that leads out of its folder, or into the internet."""
    root = os.path.normpath(folder or os.curdir)
    for path in paths:
        if folder and '://' in folder:
            out = not path.startswith(folder) or os.pardir in path.split('/')
        else:
            out = '://' in path or '\0' in path or _is_out(os.path.relpath(path, root))
        if out:
            raise InputError(f'the listed path {path!r} leads out of {root}')


def _is_out(relative: str) -> bool:
    return relative.split(os.sep)[0] == os.pardir


def name_some(names: list[str]) -> str:
    """Write the first 20 names, one a line, and how many more there are."""
    more = f'\n  and {len(names) - MAX_NAMED} more' if len(names) > MAX_NAMED else ''
    return '\n  ' + '\n  '.join(names[:MAX_NAMED]) + more


def check_labels_exist(
    data_list: list[dict], key: str = 'seg_map_path', what: str = 'label'
) -> None:
    """Raise InputError naming images without the file that ``key`` promises."""
    missing = missing_files(info[key] for info in data_list if key in info)
    unpaired = [
        f'{info["img_path"]} (expected {info[key]})'
        for info in data_list
        if info.get(key) in missing
    ]
    if unpaired:
        raise InputError(f'{len(unpaired)} images have no {what}:{name_some(unpaired)}')


@DATASETS.register_module()
class SegDataset(BaseSegDataset):
    """A folder of images and a folder of single-channel label PNGs, checked when listed.

    Give ``metainfo=dict(classes=(...), palette=[...])`` and ``data_prefix=dict(img_path=...,
    seg_map_path=...)``. The loader checks the labels against the number of classes.

    Args:
        ignore_labels: Label values of the files to map to 255, the ignored label.
        **kwargs: Arguments of mmseg's ``BaseSegDataset``: ``data_root``, ``img_suffix``,
            ``seg_map_suffix``, ``reduce_zero_label``, ``ann_file``, ...
    """

    def __init__(self, *, ignore_labels: Sequence[int] = (), **kwargs: Any) -> None:
        self.ignore_labels = tuple(ignore_labels)
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """List images with their labels.

        Raises:
            InputError: If a folder or list file is missing or no text, there is no image, an image
                has no label, or a listed name leads out of its folder.
        """
        check_folders(self.data_root, self.data_prefix, self.ann_file)
        if self.ann_file and '://' not in self.ann_file:
            read_text(self.ann_file)  # mmseg's reader says nothing of what is no text
        data_list = super().load_data_list()
        if self.ann_file:
            for key, folder in self.data_prefix.items():
                check_below(folder, (info[key] for info in data_list if key in info))
        if not data_list:
            raise InputError(
                f'no image *{self.img_suffix} in {self.data_prefix["img_path"]}; '
                f'how to prepare data: {PREPARATION}'
            )
        check_labels_exist(data_list)
        label_map = {
            **(self.label_map or {}),
            **dict.fromkeys(self.ignore_labels, IGNORE_INDEX),
        }
        for info in data_list:
            info['label_map'] = label_map or None
            info['num_classes'] = len(self._metainfo['classes'])
        return data_list


@DATASETS.register_module()
class ADE20KDataset(SegDataset, mmseg_datasets.ADE20KDataset):
    """mmseg's ADE20K (150 classes), checked."""


@DATASETS.register_module()
class CityscapesDataset(SegDataset, mmseg_datasets.CityscapesDataset):
    """mmseg's Cityscapes (19 classes), checked."""


@DATASETS.register_module()
class PascalContextDataset(SegDataset, mmseg_datasets.PascalContextDataset):
    """mmseg's Pascal Context (60 classes, background included), checked."""


@DATASETS.register_module()
class PascalContextDataset59(SegDataset, mmseg_datasets.PascalContextDataset59):
    """mmseg's Pascal Context (59 classes), checked."""
