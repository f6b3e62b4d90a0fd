"""SUN RGB-D (Song et al., CVPR 2015): rooms seen by four sensors, depth as 16-bit PNG [mm]."""

import os
from typing import Any

from mmdpt.errors import InputError
from mmdpt.files.paths import path_below
from mmdpt.registry import DATASETS

from .depth_dataset import DepthDataset
from .listed_files import PREPARATION, check_images_exist

IMAGES = 'image'
TOOLBOX_ROOT = 'SUNRGBD/'
"""End of the prefix in the toolbox's split, '/n/fs/sun3d/data/SUNRGBD/kv1/...'."""


@DATASETS.register_module()
class SUNRGBDDataset(DepthDataset):
    """Every scene folder below ``data_root``, or those that a list file names.

    Layout of `SUNRGBD.zip` unpacked; ``data_root`` is its folder `SUNRGBD`. Sensors and sources
    nest their scenes to different depths. A scene is a folder that holds these two folders with
    one file each; the files' names may differ::

        kv1/NYUdata/NYU0001/image/NYU0001.jpg
        kv1/NYUdata/NYU0001/depth_bfx/NYU0001.png
        kv2/kinect2data/<scene>/..., realsense/<source>/<scene>/...
        xtion/sun3ddata/<place>/<room>/<scene>/...

    The files hold depth [mm] with the bits of each number rotated left by 3; 0 means no depth.

    Args:
        ann_file: Text file with one scene folder a line, as in the toolbox's `allsplit.mat` or
            relative to ``data_root``; all 10,335 scenes without it.
        depth_folder: 'depth_bfx', with holes filled from other views, or 'depth', as measured.
        **kwargs: Arguments of ``DepthDataset``.
    """

    def __init__(
        self, *, ann_file: str = '', depth_folder: str = 'depth_bfx', **kwargs: Any
    ) -> None:
        self.depth_folder = depth_folder
        super().__init__(
            depth_scale=1000,
            ann_file=ann_file,
            data_prefix=dict(img_path='', depth_map_path=''),
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List images with their depth files.

        Raises:
            InputError: If the root or the list file is missing, there is no scene, or a scene has
                no or several images or depth files.
        """
        data_list = super().load_data_list()
        check_images_exist(data_list)
        return [dict(info, depth_encoding='uint16_rotated_by_3') for info in data_list]

    def _list_folder(self) -> list[dict]:
        root = self.data_prefix['img_path']
        scenes = []
        for folder, subfolders, _ in os.walk(root):
            if IMAGES in subfolders:
                scenes.append(os.path.relpath(folder, root))
                subfolders.clear()
        if not scenes:
            raise InputError(
                f'no folder with {IMAGES}/ and {self.depth_folder}/ below {root}; {PREPARATION}'
            )
        return [self._pair(scene) for scene in sorted(scenes)]

    def _pair(self, name: str, suffix: str | None = None) -> dict:
        """Image and depth file of one scene folder."""
        scene = path_below(self.data_prefix['img_path'], name.split(TOOLBOX_ROOT)[-1])
        return dict(
            img_path=_only_file(os.path.join(scene, IMAGES), self.img_suffix),
            depth_map_path=_only_file(os.path.join(scene, self.depth_folder), '.png'),
        )


def _only_file(folder: str, suffix: str) -> str:
    """The only file with a suffix in a folder; if there is none, a path that does not exist."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found = [name for name in names if name.endswith(suffix)]
    if len(found) > 1:
        raise InputError(f'{folder} holds {len(found)} files *{suffix}: expected one')
    return os.path.join(folder, found[0] if found else f'*{suffix}')
