"""Depth in the Wild (Chen et al., arXiv:1604.03901): which of two points is closer."""

from functools import partial
from typing import Any

from mmengine.dataset import BaseDataset

from mmdpt.errors import InputError
from mmdpt.files.list_files import parse_each, read_lines
from mmdpt.files.paths import path_below
from mmdpt.registry import DATASETS

from .listed_files import check_folders, check_images_exist

COLUMNS = ('y1', 'x1', 'y2', 'x2', 'relation', 'width', 'height')


@DATASETS.register_module()
class DIWDataset(BaseDataset):
    """Photographs with one ordinal pair each, for ``WHDRMetric``.

    Layout of `DIW_test.tar.gz` and the annotations unpacked into one folder, ``data_root``::

        DIW_Annotations/DIW_test.csv
        DIW_test/0a1b....thumb

    Each image has two lines, its path and its pair::

        ./DIW_test/ad956b51882fce447aa5a5bb65e434366cb41aa1.thumb
        118,70,257,291,>,500,333

    The pair is y1, x1, y2, x2 [px], counted from 1, the relation of depth 1 to depth 2, and the
    image's width and height (princeton-vl/relative_depth, DataLoader_DIW.lua and
    test_model_on_DIW.lua). A `.thumb` is a JPEG. The test list has 74,441 images.

    A sample carries ``ordinal_pairs``, one ((y1, x1), (y2, x2), relation) counted from 0.

    The listed paths are relative to ``data_prefix['img_path']``. The arguments are those of
    mmengine's ``BaseDataset``.
    """

    METAINFO: dict = dict()

    def __init__(self, *, ann_file: str = 'DIW_Annotations/DIW_test.csv', **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, **{'data_prefix': dict(img_path=''), **kwargs})

    def load_data_list(self) -> list[dict]:
        """List images with their pair.

        Raises:
            InputError: If the root, the list file or a listed image is missing, or a line cannot
                be parsed.
        """
        check_folders(self.data_root, self.data_prefix, self.ann_file)
        lines = read_lines(self.ann_file)
        if not lines or len(lines) % 2:
            raise InputError(
                f'list file {self.ann_file} has {len(lines)} lines: expected two an image'
            )
        image = partial(path_below, self.data_prefix['img_path'])
        images = parse_each(self.ann_file, lines[::2], image)
        pairs = parse_each(self.ann_file, lines[1::2], _pair)
        data_list = [
            dict(img_path=image, ordinal_pairs=[pair], seg_fields=[])
            for image, pair in zip(images, pairs, strict=True)
        ]
        check_images_exist(data_list)
        return data_list


def _pair(line: str) -> tuple:
    """Both points (y, x) of a line [px], counted from 0, and their relation."""
    cells = line.split(',')
    if len(cells) != len(COLUMNS):
        raise InputError(f'expected {",".join(COLUMNS)}, got {line!r}')
    relation = cells.pop(4)
    if relation not in ('<', '>'):
        raise InputError(f"the relation must be '<' or '>', got {relation!r}")
    try:
        y1, x1, y2, x2, width, height = map(int, cells)
    except ValueError as error:
        raise InputError(f'expected whole numbers, got {line!r}') from error
    for y, x in ((y1, x1), (y2, x2)):
        if not (1 <= y <= height and 1 <= x <= width):
            raise InputError(
                f'point y {y}, x {x} lies outside the image of {width} x {height} px, '
                'counted from 1'
            )
    return (y1 - 1, x1 - 1), (y2 - 1, x2 - 1), relation
