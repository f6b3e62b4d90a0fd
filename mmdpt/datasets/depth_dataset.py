"""Depth data sets whose files are checked before training starts."""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmdpt.errors import InputError
from mmdpt.files.list_files import parse_each, read_lines
from mmdpt.files.paths import path_below
from mmdpt.registry import DATASETS

from .listed_files import (
    check_folders,
    check_images_exist,
    check_labels_exist,
    correct_suffixes,
    files_left_out,
    list_images,
    suffixes_of,
)

NO_DEPTH = 'None'
"""Depth file of an image without ground truth, in the Eigen lists of BTS."""


@DATASETS.register_module()
class DepthDataset(BaseDataset):
    """Images and their depth files, checked when listed.

    Without ``ann_file`` every image below ``data_prefix['img_path']`` has its depth file at the
    same place below ``data_prefix['depth_map_path']``. A list file, ``ann_file``, has one line for
    each image. The line is the image's path without suffix (as in mmseg), or image, depth file
    and optionally focal length [px] (as in BTS, github.com/cleinc/bts). Further columns are
    ignored. Paths are relative to their prefix. Lines with 'None' for the depth file are left out
    and counted in ``num_without_depth``.

    A sample carries what ``LoadDepth`` needs: ``img_path``, ``depth_map_path``, ``depth_scale``,
    ``invalid_values`` and, if listed, ``focal``.

    Args:
        depth_scale: Units per metre: depth [m] = value / depth_scale. 1000 for NYU, 256 for
            KITTI, 5000 for TUM.
        invalid_values: Values in the files that mean "no depth". Zero, negative, infinite and NaN
            always do.
        img_suffix: Suffix of the images, in upper or lower case; None: any of ``IMAGE_SUFFIXES``,
            and '.jpg' in a list.
        depth_map_suffix: Suffix of the depth files, in upper or lower case.
        data_prefix: The folders; ``depth_map_path=None`` for a test that only predicts.
        backend_args: Arguments of MMEngine's file backend.
        **kwargs: Arguments of mmengine's ``BaseDataset``: ``data_root``, ``data_prefix``,
            ``ann_file``, ``pipeline``, ``test_mode``, ``indices``, ...

    Raises:
        ValueError: If ``depth_scale`` is not positive.
    """

    METAINFO: dict = dict()

    def __init__(
        self,
        *,
        depth_scale: float,
        invalid_values: Sequence[float] = (),
        img_suffix: str | None = None,
        depth_map_suffix: str = '.png',
        data_prefix: dict | None = None,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if not depth_scale > 0:
            raise ValueError(f'depth_scale must be positive, got {depth_scale}')
        self.depth_scale = float(depth_scale)
        self.invalid_values = tuple(invalid_values)
        self.suffixes = suffixes_of(img_suffix, '.jpg')
        self.img_suffix = self.suffixes[0]
        self.depth_map_suffix = depth_map_suffix
        self.backend_args = backend_args
        self.num_without_depth = 0
        self.left_out: list[str] = []
        if data_prefix is None:
            data_prefix = dict(img_path='images', depth_map_path='annotations')
        prefix = {key: folder for key, folder in data_prefix.items() if folder is not None}
        super().__init__(data_prefix=prefix, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List images with their depth files.

        Raises:
            InputError: If a folder or list file is missing, a line is not understood, a listed
                image does not exist, an image has no depth file, or nothing is left.
        """
        check_folders(self.data_root, self.data_prefix, self.ann_file)
        if self.ann_file:
            data_list = self._read_list_file()
            correct_suffixes(data_list, 'img_path', self.img_suffix, self.suffixes)
            check_images_exist(data_list)
        else:
            data_list = self._list_folder()
        correct_suffixes(data_list, 'depth_map_path', self.depth_map_suffix)
        check_labels_exist(data_list, 'depth_map_path', 'depth file')
        self.left_out = files_left_out(self.left_out, data_list)
        for info in data_list:
            info['depth_scale'] = self.depth_scale
            info['invalid_values'] = self.invalid_values
            info['seg_fields'] = []
        return data_list

    def _list_folder(self) -> list[dict]:
        folder = self.data_prefix['img_path']
        names, self.left_out = list_images(folder, self.suffixes, self.backend_args)
        return [self._pair(*name) for name in names]

    def _read_list_file(self) -> list[dict]:
        listed = parse_each(self.ann_file, read_lines(self.ann_file), self._parse)
        data_list = [info for info in listed if info is not None]
        self.num_without_depth = len(listed) - len(data_list)
        if self.num_without_depth:
            print_log(
                f'{self.ann_file}: {self.num_without_depth} of {len(listed)} images have no '
                'ground truth and are left out',
                logger='current',
            )
        if not data_list:
            raise InputError(f'list file {self.ann_file} names no image with a depth file')
        return data_list

    def _parse(self, line: str) -> dict | None:
        """Entry of a line; None if it has no ground truth."""
        columns = [column.lstrip('/') for column in line.split()]  # '/scene/file' in BTS's lists
        if columns[1:2] == [NO_DEPTH] and 'depth_map_path' in self.data_prefix:
            return None
        return self._listed_pair(*columns) if columns[1:] else self._pair(columns[0])

    def _pair(self, name: str, suffix: str | None = None) -> dict:
        """Entry of a name without suffix."""
        return self._listed_pair(name + (suffix or self.img_suffix), name + self.depth_map_suffix)

    def _listed_pair(self, image: str, depth: str, focal: str | None = None, *_: str) -> dict:
        folder = self.data_prefix.get('depth_map_path')
        info: dict = dict(
            img_path=path_below(self.data_prefix['img_path'], image),
            depth_map_path=None if folder is None else path_below(folder, depth),
        )
        if focal is not None:
            try:
                info['focal'] = float(focal)
            except ValueError as error:
                raise InputError(
                    f'expected "image depth focal" without spaces in names, got {focal!r} for '
                    'the focal length [px]'
                ) from error
        return info
