"""The scenes data set: twelve classes of rendered rooms and streets, and their depth."""

import logging
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mmdpt.errors import InputError
from mmdpt.registry import DATASETS
from mmdpt.scenes.classes import CLASSES, PALETTE
from mmdpt.scenes.writer import DEPTH_UNIT

from .listed_files import check_labels_exist
from .seg_dataset import SegDataset

DEPTH_SPLITS = {'training': ('train', 1), 'validation': ('test', 2)}
"""Folder of the depth files of an image folder, and the first number in their names."""


@DATASETS.register_module()
class ScenesDataset(SegDataset):
    """Rooms and streets as ``tools/dataset_converters/scenes.py`` writes them, in ADE20K's layout.

    Labels in the files count from 1, as in ADE20K; they are lowered by one while loading.

    Args:
        img_suffix: Suffix of the images.
        seg_map_suffix: Suffix of the labels. Without ``seg_map_path`` in ``data_prefix`` samples
            have no labels.
        reduce_zero_label: Whether labels are lowered by one.
        with_depth: Whether samples carry what ``LoadDepth`` needs to read the depth files that the
            converter writes in NYU's layout.
        **kwargs: Arguments of ``SegDataset``.
    """

    METAINFO = dict(classes=CLASSES, palette=[list(colour) for colour in PALETTE])

    def __init__(
        self,
        img_suffix: str = '.jpg',
        seg_map_suffix: str = '.png',
        reduce_zero_label: bool = True,
        with_depth: bool = False,
        **kwargs: Any,
    ) -> None:
        self.with_depth = with_depth
        super().__init__(
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            reduce_zero_label=reduce_zero_label,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List images with their labels and depth files.

        Raises:
            InputError: See ``SegDataset``; also if the depth folder of the image folder is
                unknown, or an image has no depth file.
        """
        data_list = super().load_data_list()
        if isinstance(self._indices, int) and self._indices > len(data_list):
            print_log(
                f'{self.data_root} has {len(data_list)} of the {self._indices} scenes asked for. '
                f'python tools/dataset_converters/scenes.py {self.data_root} '
                f'--train {self._indices} renders them all.',
                'current',
                logging.WARNING,
            )
        if not self.with_depth:
            return data_list
        images = Path(self.data_prefix['img_path'])
        if images.name not in DEPTH_SPLITS:
            raise InputError(
                f'img_path {images} must end in one of {", ".join(DEPTH_SPLITS)} to find the depth'
            )
        folder, split = DEPTH_SPLITS[images.name]
        for info in data_list:
            name = depth_name(Path(info['img_path']).stem, split)
            info['depth_map_path'] = str(images.parents[1] / 'nyu' / 'annotations' / folder / name)
            info['depth_scale'] = float(DEPTH_UNIT)
            info['invalid_values'] = (0,)
        check_labels_exist(data_list, 'depth_map_path', 'depth file')
        return data_list


def depth_name(image: str, split: int) -> str:
    """Give the depth file of 'scene_00000003': 'playroom_0001_00003.png' in split 1.

    Odd numbers are rooms, even ones streets; see ``scenes.writer.write_scenes``.

    Raises:
        InputError: If the image has another form of name.
    """
    number = image.removeprefix('scene_')
    if not number.isdecimal():
        raise InputError(f'image {image} is no scene: expected a name such as scene_00000001')
    place = 'playroom' if int(number) % 2 else 'street'
    return f'{place}_{split:04d}_{int(number):05d}.png'
