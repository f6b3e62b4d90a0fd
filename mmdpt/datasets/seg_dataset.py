"""Segmentation data sets whose files are checked before training starts."""

from collections.abc import Sequence
from typing import Any

from mmseg import datasets as mmseg_datasets
from mmseg.datasets import BaseSegDataset

from mmdpt.errors import InputError
from mmdpt.files.list_files import parse_each, read_lines
from mmdpt.files.paths import path_below
from mmdpt.registry import DATASETS

from .listed_files import PREPARATION, check_folders, check_labels_exist

IGNORE_INDEX = 255


@DATASETS.register_module()
class SegDataset(BaseSegDataset):
    """A folder of images and a folder of single-channel label PNGs, checked when listed.

    Give ``metainfo=dict(classes=(...), palette=[...])`` and ``data_prefix=dict(img_path=...,
    seg_map_path=...)``. The loader checks the labels against the number of classes.

    Args:
        ignore_labels: Label values that are mapped to 255, the ignored label.
        **kwargs: Arguments of mmseg's ``BaseSegDataset``: ``data_root``, ``img_suffix``,
            ``seg_map_suffix``, ``reduce_zero_label``, ``ann_file``, ...
    """

    def __init__(self, *, ignore_labels: Sequence[int] = (), **kwargs: Any) -> None:
        self.ignore_labels = tuple(ignore_labels)
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """List images with their labels.

        Raises:
            InputError: If a folder or list file is missing, the list is no text, there is no
                image, an image has no label, or a listed name leads out of its folder.
        """
        check_folders(self.data_root, self.data_prefix, self.ann_file)
        if self.ann_file:
            data_list = parse_each(self.ann_file, read_lines(self.ann_file), self._listed_pair)
        else:
            data_list = super().load_data_list()
        if not data_list:
            raise InputError(
                f'no image *{self.img_suffix} in {self.data_prefix["img_path"]}; {PREPARATION}'
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

    def _listed_pair(self, name: str) -> dict:
        """Entry of a listed name without suffix, as mmseg's."""
        info = dict(
            img_path=path_below(self.data_prefix['img_path'], name + self.img_suffix),
            reduce_zero_label=self.reduce_zero_label,
            seg_fields=[],
        )
        labels = self.data_prefix.get('seg_map_path')
        if labels is not None:
            info['seg_map_path'] = path_below(labels, name + self.seg_map_suffix)
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
