"""ETH3D's high-resolution photographs with laser-scanned depth (Schoeps et al., CVPR 2017)."""

from pathlib import Path
from typing import Any

from mmdpt.errors import InputError
from mmdpt.registry import DATASETS

from .depth_dataset import DepthDataset
from .listed_files import PREPARATION

IMAGES = 'images/dslr_images'
DEPTH = 'ground_truth_depth/dslr_images'


@DATASETS.register_module()
class ETH3DDataset(DepthDataset):
    """The training scenes of the high-resolution multi-view benchmark, as photographed.

    Layout of `multi_view_training_dslr_jpg.7z` and the 13 `<scene>_dslr_depth.7z` unpacked into
    one folder, ``data_root``::

        courtyard/images/dslr_images/DSC_0286.JPG
        courtyard/ground_truth_depth/dslr_images/DSC_0286.JPG

    The second file is named like its image but is no JPEG: it holds float32 rows of depth [m]
    without a header; pixels without depth are infinite (eth3d.net/documentation;
    ETH3D/multi-view-evaluation issue 3). The 13 scenes have 454 images. Read them with
    ``color_type='color_ignore_orientation'``, because the depth follows the pixels of the file.

    Args:
        **kwargs: Arguments of ``DepthDataset``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            depth_scale=1,
            img_suffix='.JPG',
            data_prefix=dict(img_path='', depth_map_path=''),
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List images with their depth files.

        Raises:
            InputError: If the root is missing, no scene has images, or an image has no depth file.
        """
        return [
            dict(info, depth_encoding='raw_float32', seg_fields=[])
            for info in super().load_data_list()
        ]

    def _list_folder(self) -> list[dict]:
        root = Path(self.data_prefix['img_path'])
        images = sorted(root.glob(f'*/{IMAGES}/*{self.img_suffix}'))
        if not images:
            raise InputError(
                f'no image {IMAGES}/*{self.img_suffix} in any scene of {root}; {PREPARATION}'
            )
        return [
            self._listed_pair(
                str(image.relative_to(root)),
                str(image.relative_to(root).parents[2] / DEPTH / image.name),
            )
            for image in images
        ]
