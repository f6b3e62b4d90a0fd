"""Name the files that a test writes for each image."""

import os
from pathlib import Path

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner


class OutputNames:
    """Name outputs like their images, relative to the folder that all images share.

    KITTI has a '0000000069.png' in every drive, so its outputs keep the folders of the drives.

    Args:
        out_dir: Folder of the outputs.
        dataset: The data set.
    """

    def __init__(self, out_dir: str | Path, dataset: BaseDataset) -> None:
        self.out_dir = Path(out_dir)
        folders = {
            os.path.dirname(os.path.abspath(dataset.get_data_info(index)['img_path']))
            for index in range(len(dataset))
        }
        self.folder = os.path.commonpath(folders)

    def path(self, img_path: str, suffix: str) -> Path:
        """Give the path of an image's output and make its folder."""
        path = (self.out_dir / os.path.relpath(img_path, self.folder)).with_suffix(suffix)
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
