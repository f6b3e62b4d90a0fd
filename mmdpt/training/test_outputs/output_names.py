"""Name the files that a test writes for each image."""

import os
from pathlib import Path

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner


class OutputNames:
    """Name outputs like their images, relative to the folder that all images share.

    KITTI has a '0000000069.png' in every drive, so its outputs keep the folders of the drives.
    Where two images differ in their suffix alone, all outputs keep it: 'a.jpg.png', 'a.png.png'.

    Args:
        out_dir: Folder of the outputs.
        dataset: The data set.
    """

    def __init__(self, out_dir: str | Path, dataset: BaseDataset) -> None:
        self.out_dir = Path(out_dir)
        entries = [dataset.get_data_info(index) for index in range(len(dataset))]
        self._infos = {os.path.abspath(info['img_path']): info for info in entries}
        self.folder = os.path.commonpath({os.path.dirname(path) for path in self._infos})
        stems = {os.path.splitext(path)[0] for path in self._infos}
        self.keeps_suffix = len(stems) < len(self._infos)

    def info(self, img_path: str) -> dict:
        """Give the data set's entry of an image."""
        return self._infos[os.path.abspath(img_path)]

    def path(self, img_path: str, suffix: str) -> Path:
        """Give the path of an image's output and make its folder."""
        name = os.path.relpath(img_path, self.folder)
        stem = name if self.keeps_suffix else os.path.splitext(name)[0]
        path = self.out_dir / (stem + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class OutputHook(Hook):
    """What the hooks share that write a file for each image of a test.

    Args:
        out_dir: Folder for one file an image, named as the image.
    """

    def __init__(self, out_dir: str) -> None:
        self.out_dir = out_dir

    def before_test(self, runner: Runner) -> None:
        """Name the files."""
        self.names = OutputNames(self.out_dir, runner.test_dataloader.dataset)
