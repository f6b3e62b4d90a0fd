"""Read images and labels, or say which file is wrong and how."""

import cv2
import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile
from mmengine import fileio
from mmseg.datasets.transforms import LoadAnnotations as MMSegLoadAnnotations

from mmdpt.datasets.seg_dataset import IGNORE_INDEX
from mmdpt.errors import InputError
from mmdpt.files.image_limits import check_file_size, check_image
from mmdpt.files.whole_images import check_whole
from mmdpt.registry import TRANSFORMS

UNREADABLE = (AssertionError, OSError, ValueError, SyntaxError, cv2.error)
"""What mmcv, Pillow and OpenCV raise on a file that is no image."""


@TRANSFORMS.register_module()
class LoadImageFromFile(MMCVLoadImageFromFile):
    """mmcv's loader, naming a file that it cannot read."""

    def transform(self, results: dict) -> dict | None:
        """Read ``img_path`` into ``img`` (H, W, 3) uint8 BGR.

        Raises:
            InputError: If the file is missing, empty, cut short or no readable image.
        """
        path = results['img_path']
        try:
            check_file_size(path)
            data = fileio.get(path, backend_args=self.backend_args)
            check_whole(data)
            check_image(data)
            image = mmcv.imfrombytes(data, flag=self.color_type, backend=self.imdecode_backend)
            if image is None:
                raise ValueError('it is no image')
        except UNREADABLE as error:
            if self.ignore_empty:
                return None
            raise InputError(f'cannot read image {path}: {error}') from error
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadAnnotations(MMSegLoadAnnotations):
    """mmseg's loader of label maps, with the labels checked against the classes."""

    def _load_seg_map(self, results: dict) -> None:
        """Read ``seg_map_path`` into ``gt_seg_map`` (H, W) uint8 with 255 for ignored pixels.

        Raises:
            InputError: If the file is no readable single-channel image, has another size than the
                image, or holds a value that is neither a class nor ignored.
        """
        path = results['seg_map_path']
        label = self._read(path)
        if label.ndim != 2:
            raise InputError(
                f'label {path} has {label.shape[-1]} channels: expected one, holding class numbers'
            )
        if 'ori_shape' in results and label.shape != tuple(results['ori_shape'][:2]):
            raise InputError(
                f'label {path} is {label.shape[1]} x {label.shape[0]} px, its image '
                f'{results["img_path"]} {results["ori_shape"][1]} x {results["ori_shape"][0]} px'
            )
        if results.get('reduce_zero_label'):
            ignored = (label == 0) | (label == IGNORE_INDEX)
            label = np.where(ignored, IGNORE_INDEX, label - 1)
        mapped = label
        if results.get('label_map'):
            mapped = label.copy()
            for old, new in results['label_map'].items():
                mapped[label == old] = new
        self._check_values(mapped, results)
        results['gt_seg_map'] = mapped.astype(np.uint8)
        results['seg_fields'].append('gt_seg_map')

    def _read(self, path: str) -> np.ndarray:
        try:
            check_file_size(path)
            data = fileio.get(path, backend_args=self.backend_args)
            check_whole(data)
            check_image(data)
            label = mmcv.imfrombytes(data, flag='unchanged', backend=self.imdecode_backend)
        except UNREADABLE as error:
            raise InputError(f'cannot read label {path}: {error}') from error
        if label is None:
            raise InputError(f'cannot read label {path}: it is no image')
        return label.squeeze()

    @staticmethod
    def _check_values(label: np.ndarray, results: dict) -> None:
        num_classes = results.get('num_classes')
        if num_classes is None:  # a data set that does not say
            return
        wrong = (label >= num_classes) & (label != IGNORE_INDEX)
        if wrong.any():
            shift = 1 if results.get('reduce_zero_label') else 0
            values = (np.unique(label[wrong]).astype(int) + shift).tolist()
            raise InputError(
                f'label {results["seg_map_path"]} holds {values}: expected '
                f'{shift}..{num_classes - 1 + shift} for the {num_classes} classes, or '
                f'{"0 or " if shift else ""}{IGNORE_INDEX} for ignored pixels; '
                'other values to ignore: dataset.ignore_labels'
            )
