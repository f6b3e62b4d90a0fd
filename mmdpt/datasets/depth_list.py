"""Depth data of your own, listed in a CSV or JSON lines file."""

import os
from collections.abc import Sequence
from typing import Any

from mmengine.dataset import BaseDataset

from mmdpt.errors import InputError
from mmdpt.files.list_files import parse_each, read_rows
from mmdpt.files.paths import path_below
from mmdpt.registry import DATASETS

from .listed_files import check_folders, check_images_exist, check_labels_exist

COLUMNS = ('image', 'depth', 'disparity', 'scale', 'invalid', 'mask', 'intrinsics')


@DATASETS.register_module()
class DepthListDataset(BaseDataset):
    """Images and their depth or disparity files, as a CSV or JSON lines file lists them.

    ``ann_file`` ends in '.csv' (the first line names the columns, spaces separate the items of a
    list) or '.jsonl' (one object a line). Image and either depth or disparity are required:

    - image: Image file.
    - depth: Depth file; depth [m] = value / scale.
    - disparity: Disparity file; depth [m] = scale / value. The scale is focal length x baseline
      [px m] for pixels of a calibrated pair, and 1 for values in 1/m. Disparity in another unit
      gives relative depth. Disparity 0 has no depth.
    - scale: See above; default: ``depth_scale``.
    - invalid: Values in the file that mean "no depth", besides zero, negative, infinite and NaN;
      default: ``invalid_values``.
    - mask: Image file that is 0 where the depth is invalid.
    - intrinsics: fx fy cx cy of the image file [px].

    Depth files are PNG, TIFF, PFM or NPY. Paths are relative to ``data_root`` and stay below it.

    Args:
        ann_file: The list file.
        data_root: Folder of the files; None: the folder of the list file.
        depth_scale: Scale of lines without one.
        invalid_values: Invalid values of lines without any.
        **kwargs: Arguments of mmengine's ``BaseDataset``: ``pipeline``, ``test_mode``, ...
    """

    METAINFO: dict = dict()

    def __init__(
        self,
        *,
        ann_file: str,
        data_root: str | None = None,
        depth_scale: float | None = None,
        invalid_values: Sequence[float] = (),
        **kwargs: Any,
    ) -> None:
        self.depth_scale = depth_scale
        self.invalid_values = tuple(invalid_values)
        if data_root is None:
            data_root, ann_file = os.path.split(ann_file)
        super().__init__(
            ann_file=ann_file, data_root=data_root, data_prefix=dict(img_path=''), **kwargs
        )

    def load_data_list(self) -> list[dict]:
        """List images with their depth files.

        Raises:
            InputError: If a folder, the list file or a listed file is missing, a line cannot be
                parsed, a path leads out of ``data_root``, or the list is empty.
        """
        check_folders(self.data_root, self.data_prefix, self.ann_file)
        rows = read_rows(self.ann_file, _check_columns)
        data_list = parse_each(self.ann_file, rows, self._parse)
        if not data_list:
            raise InputError(f'list file {self.ann_file} names no image')
        check_images_exist(data_list)
        check_labels_exist(data_list, 'depth_map_path', 'depth file')
        check_labels_exist(data_list, 'depth_mask_path', 'mask')
        return data_list

    def _parse(self, row: dict) -> dict:
        row = {key: value for key, value in row.items() if value not in (None, '')}
        _check_columns(list(row))
        if 'depth' in row and 'disparity' in row:
            raise InputError('expected either depth or disparity')
        is_disparity = 'disparity' in row
        info: dict = dict(
            img_path=self._path(row['image']),
            depth_map_path=self._path(row['disparity' if is_disparity else 'depth']),
            is_disparity=is_disparity,
            depth_scale=self._scale(row),
            invalid_values=(_numbers(row, 'invalid') if 'invalid' in row else self.invalid_values),
            seg_fields=[],
        )
        if 'mask' in row:
            info['depth_mask_path'] = self._path(row['mask'])
        if 'intrinsics' in row:
            info['intrinsics'] = _numbers(row, 'intrinsics')
            if len(info['intrinsics']) != 4:
                raise InputError(f'intrinsics must be fx fy cx cy, got {row["intrinsics"]!r}')
        return info

    def _path(self, path: Any) -> str:
        if not isinstance(path, str):
            raise InputError(f'a path must be a string, got {path!r}')
        return path_below(self.data_root, path)

    def _scale(self, row: dict) -> float:
        scale: tuple[float | None, ...] = (self.depth_scale,)
        if 'scale' in row:
            scale = _numbers(row, 'scale')
        if scale == (None,):
            raise InputError('no scale: add the column, or set dataset.depth_scale')
        if len(scale) != 1 or scale[0] is None or not 0 < scale[0] < float('inf'):
            raise InputError(f'scale must be one positive number, got {row.get("scale", scale)!r}')
        return scale[0]


def _check_columns(names: list[str]) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise InputError(f'unknown column {", ".join(unknown)}: expected {", ".join(COLUMNS)}')
    if 'image' not in names:
        raise InputError('no image')
    if 'depth' not in names and 'disparity' not in names:
        raise InputError('expected either depth or disparity')


def _numbers(row: dict, column: str) -> tuple[float, ...]:
    """Numbers of a cell, which is a number, a list of them, or text separated by spaces."""
    cell = row[column]
    values = cell.split() if isinstance(cell, str) else cell
    try:
        return tuple(float(value) for value in (values if isinstance(values, list) else [values]))
    except (TypeError, ValueError) as error:
        raise InputError(f'{column} must be numbers, got {cell!r}') from error
