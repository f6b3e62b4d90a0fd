"""Segmentation data sets whose files are checked before training starts."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmseg import datasets as mmseg_datasets
from mmseg.datasets import BaseSegDataset

from mmdpt.errors import InputError
from mmdpt.files.list_files import parse_each, read_lines
from mmdpt.files.paths import path_below
from mmdpt.registry import DATASETS

from .label_values import IGNORE_INDEX
from .listed_files import (
    check_folders,
    check_images_exist,
    check_labels_exist,
    correct_suffixes,
    files_left_out,
    list_images,
    suffixes_of,
)


@DATASETS.register_module()
class SegDataset(BaseSegDataset):
    """A folder of images and a folder of single-channel label PNGs, checked when listed.

    Give ``metainfo=dict(classes=(...), palette=[...])`` and ``data_prefix=dict(img_path=...,
    seg_map_path=...)``; ``seg_map_path=None`` for a test without labels, which only predicts. The
    loader checks the labels against the number of classes.

    Args:
        ignore_labels: Values in the label files that are ignored, besides 255.
        label_map: Values in the label files that are read as other ones, {255: 1} for masks of 0
            and 255. Both are values as in the files, before ``reduce_zero_label`` lowers them.
        img_suffix: Suffix of the images, in upper or lower case; None: the data set's own, and
            where that is '.jpg', any of ``IMAGE_SUFFIXES``.
        data_prefix: The folders, relative to ``data_root``.
        **kwargs: Arguments of mmseg's ``BaseSegDataset``: ``data_root``, ``seg_map_suffix``,
            ``reduce_zero_label``, ``ann_file``, ...

    Raises:
        InputError: If ``label_map`` or ``ignore_labels`` hold anything but whole numbers; also see
            ``load_data_list``.
    """

    def __init__(
        self,
        *,
        ignore_labels: int | Sequence[int] = (),
        label_map: Mapping[int, int] | None = None,
        img_suffix: str | None = None,
        data_prefix: Mapping[str, str | None] | None = None,
        **kwargs: Any,
    ) -> None:
        ignored = [ignore_labels] if isinstance(ignore_labels, int) else ignore_labels
        try:
            self.file_map = {**(label_map or {}), **dict.fromkeys(ignored, IGNORE_INDEX)}
            whole = all(isinstance(x, int) for x in (*self.file_map, *self.file_map.values()))
        except TypeError:
            whole = False
        if not whole:
            raise InputError(
                'label_map={255: 1} and ignore_labels=(11,) take whole numbers as in the files, '
                f'got {label_map!r} and {ignore_labels!r}'
            )
        self.given_suffix = img_suffix
        self.left_out: list[str] = []
        self.without_labels = data_prefix is not None and (data_prefix.get('seg_map_path') is None)
        if img_suffix is not None:
            kwargs['img_suffix'] = img_suffix
        if data_prefix is not None:
            kwargs['data_prefix'] = {k: v for k, v in data_prefix.items() if v is not None}
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """List images with their labels; ``left_out`` names the other files beside them.

        Raises:
            InputError: If the classes are no tuple of 1 to 255 names; if a folder or list file is
                missing, the list is no text, there is no image, an image has no label, or a
                listed name leads out of its folder.
        """
        classes = self._metainfo.get('classes') or ()
        if isinstance(classes, str):
            raise InputError(f'metainfo.classes must be a tuple of names, got {classes!r}')
        if not 0 < len(classes) <= IGNORE_INDEX:
            raise InputError(
                f'{type(self).__name__} has {len(classes)} classes: metainfo.classes must name 1 '
                f'to {IGNORE_INDEX}, since labels are 8-bit and {IGNORE_INDEX} is ignored'
            )
        check_folders(self.data_root, self.data_prefix, self.ann_file)
        suffixes = suffixes_of(self.given_suffix, self.img_suffix)
        if self.ann_file:
            data_list = parse_each(self.ann_file, read_lines(self.ann_file), self._listed_pair)
            correct_suffixes(data_list, 'img_path', self.img_suffix, suffixes)
        else:
            folder = self.data_prefix['img_path']
            names, self.left_out = list_images(folder, suffixes, self.backend_args)
            data_list = [self._pair(*name) for name in names]
        correct_suffixes(data_list, 'seg_map_path', self.seg_map_suffix)
        check_labels_exist(data_list)
        if self.ann_file:
            check_images_exist(data_list)
        if not data_list:
            raise InputError(f'list file {self.ann_file} names no image')
        self.left_out = files_left_out(self.left_out, data_list)
        for info in data_list:
            info['num_classes'] = len(classes)
            if self.file_map:
                info['file_map'] = self.file_map
        return data_list

    def _listed_pair(self, name: str) -> dict:
        """Entry of a listed name without suffix."""
        return self._pair(name, self.img_suffix)

    def _pair(self, name: str, suffix: str) -> dict:
        """Entry of a name and its suffix, as mmseg's."""
        info: dict = dict(
            img_path=path_below(self.data_prefix['img_path'], name + suffix),
            label_map=self.label_map,
            reduce_zero_label=self.reduce_zero_label,
            seg_fields=[],
        )
        labels = self.data_prefix.get('seg_map_path')
        if labels is not None:
            info['seg_map_path'] = path_below(labels, name + self.seg_map_suffix)
        elif self.without_labels:
            info['seg_map_path'] = None
        return info


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
