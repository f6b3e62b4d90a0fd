"""Resize, crop and rotate images with their depth. An invalid pixel stays invalid.

Nothing here interpolates depth: each pixel of the result is a pixel of the file, or NaN. This
also holds for mmseg's ``Resize``, ``RandomResize`` and ``RandomFlip``, not for ``RandomRotate``.
"""

import cv2
import mmcv
import numpy as np
from mmseg.datasets.transforms import RandomCrop, RandomRotate

from mmdpt.errors import InputError, check_choice
from mmdpt.evaluation.crops import NYU_SIZE, kb_crop
from mmdpt.registry import TRANSFORMS

from .step import Step, note_resize

METHODS = ('minimal', 'lower_bound', 'upper_bound', 'exact')
CROP_ATTEMPTS = 10
"""Crops that are drawn to find one with depth, as many as mmseg's RandomCrop draws."""


def fit_size(
    size: tuple[int, int], scale: tuple[int, int], method: str = 'minimal', multiple: int = 32
) -> tuple[int, int]:
    """Compute the network's input size for an image (isl-org/DPT and MiDaS, transforms.py).

    Both sides are scaled by the same factor. Then each is rounded to a multiple:

    - 'minimal': the one of the two factors that changes the image less; nearest multiple.
    - 'lower_bound': covers ``scale``; nearest multiple that is not below it.
    - 'upper_bound': fits into ``scale``; nearest multiple that is not above it.
    - 'exact': ``scale``, with another aspect ratio than the image's (MiDaS 3.1 on Swin2).

    Halves round to the even multiple. A side is at least one multiple; the reference allows 0.

    Args:
        size: Width and height of the image [px].
        scale: Width and height asked for [px].
        method: One of the above.
        multiple: Both sides become multiples of this [px].

    Returns:
        Width and height [px].
    """
    if method == 'exact':
        return scale
    factors = [want / have for want, have in zip(scale, size, strict=True)]
    if method == 'minimal':
        # the reference takes the height's factor on a tie
        factor = factors[0] if abs(1 - factors[0]) < abs(1 - factors[1]) else factors[1]
    else:
        factor = max(factors) if method == 'lower_bound' else min(factors)
    sides = []
    for have, want in zip(size, scale, strict=True):
        exact = factor * have / multiple
        count = round(exact)
        if method == 'lower_bound' and count * multiple < want:
            count = int(np.ceil(exact))
        if method == 'upper_bound' and count * multiple > want:
            count = int(np.floor(exact))
        sides.append(max(count, 1) * multiple)
    return sides[0], sides[1]


@TRANSFORMS.register_module()
class ResizeDepth(Step):
    """Resize the image and the maps in ``seg_fields`` with its aspect ratio, to multiples.

    The image is resized bicubically, as in isl-org/DPT. The maps take the pixel with the nearest
    centre; mmcv's 'nearest' takes the one above and left, on average half a pixel off. A float
    image keeps the overshoot of bicubic interpolation, as in isl-org/DPT; a uint8 image is clipped.

    Args:
        scale: Width and height asked for [px], or one number for both.
        method: 'minimal', 'lower_bound', 'upper_bound' or 'exact', see ``fit_size``.
        multiple: Both sides become multiples of this [px]; not with 'exact'.
        image_only: Do not resize the maps; for test pipelines, whose results are evaluated at the
            original size.

    Raises:
        ValueError: If the method is unknown or a size is not positive.
    """

    def __init__(
        self,
        scale: int | tuple[int, int] = 384,
        method: str = 'minimal',
        multiple: int = 32,
        image_only: bool = False,
    ) -> None:
        width, height = (scale, scale) if isinstance(scale, int) else scale
        if min(width, height, multiple) < 1:
            raise ValueError(f'scale and multiple must be positive, got {scale} and {multiple}')
        self.scale = (width, height)
        self.method = check_choice('method', method, METHODS)
        self.multiple = multiple
        self.image_only = image_only

    def transform(self, results: dict) -> dict:
        """Update ``img``, its size and the maps; add ``scale`` and ``scale_factor`` (w, h)."""
        height, width = results['img'].shape[:2]
        size = fit_size((width, height), self.scale, self.method, self.multiple)
        results['img'] = cv2.resize(results['img'], size, interpolation=cv2.INTER_CUBIC)
        if not self.image_only:
            for key in results.get('seg_fields', []):
                results[key] = cv2.resize(results[key], size, interpolation=cv2.INTER_NEAREST_EXACT)
        note_resize(results, (height, width), keep_ratio=self.method != 'exact')
        return results


@TRANSFORMS.register_module()
class KBCrop(Step):
    """Crop image and maps to the KITTI benchmark's 352 x 1216 px, bottom-centre.

    Use it after ``LoadDepth`` and before any resizing. The crop becomes the original
    (``ori_shape``): predictions are resized to it and evaluated on it.

    Args:
        image_only: Crop the image alone, for the network. The frame remains the original: a depth
            model's prediction gets the size and place of the crop in it, with NaN around it.
    """

    def __init__(self, image_only: bool = False) -> None:
        self.image_only = image_only

    def transform(self, results: dict) -> dict:
        """Crop ``img`` and every map in ``seg_fields``, or note the ``crop_box`` of the image.

        ``crop_box`` is (top, bottom, left, right) in pixels of the frame.

        Raises:
            InputError: If the image is smaller than the crop.
        """
        height, width = results['img'].shape[:2]
        try:
            rows, columns = kb_crop(height, width)
        except ValueError as error:
            raise InputError(f'image {results.get("img_path")}: {error}') from error
        for key in ('img', *(() if self.image_only else results.get('seg_fields', []))):
            results[key] = results[key][rows, columns]
        results['img_shape'] = results['img'].shape[:2]
        if self.image_only:
            results['crop_box'] = (rows.start, rows.stop, columns.start, columns.stop)
        else:
            results['ori_shape'] = results['img_shape']
        return results


@TRANSFORMS.register_module()
class NYUCrop(Step):
    """Cut the white border off a NYU frame: rows 45:472, columns 43:608 of 480 x 640 px.

    For training, as BTS does (github.com/cleinc/bts, bts_dataloader.py); evaluation has its own
    crop, ``crops.nyu_crop``.
    """

    def transform(self, results: dict) -> dict:
        """Crop ``img`` and every map in ``seg_fields``.

        Raises:
            InputError: If the image has another size than NYU's frames.
        """
        size = results['img'].shape[:2]
        if size != NYU_SIZE:
            raise InputError(
                f'image {results.get("img_path")}: NYUCrop is for 480 x 640 px, got '
                f'{size[0]} x {size[1]}'
            )
        for key in ('img', *results.get('seg_fields', [])):
            results[key] = results[key][45:472, 43:608]
        results['img_shape'] = results['img'].shape[:2]
        return results


@TRANSFORMS.register_module()
class RandomCropDepth(Step, RandomCrop):
    """mmseg's RandomCrop that prefers crops with depth in them, for sparse ground truth.

    An image smaller than the crop is left smaller; the data preprocessor pads it.

    Args:
        crop_size: Height and width [px], or one number for both.
        min_valid: Least share of pixels with depth. After ten crops with less, the last is used.

    Raises:
        ValueError: If ``min_valid`` is not in [0, 1].
    """

    def __init__(self, crop_size: int | tuple[int, int], min_valid: float = 0.0) -> None:
        if not 0 <= min_valid <= 1:
            raise ValueError(f'min_valid must be in 0..1, got {min_valid}')
        super().__init__(crop_size)
        self.min_valid = min_valid

    def crop_bbox(self, results: dict) -> tuple[int, int, int, int]:
        """Draw top, bottom, left and right of the crop."""
        for _ in range(CROP_ATTEMPTS):
            bbox = super().crop_bbox(results)
            if not self.min_valid or 'gt_depth_map' not in results:
                break
            if np.isfinite(self.crop(results['gt_depth_map'], bbox)).mean() >= self.min_valid:
                break
        return bbox


@TRANSFORMS.register_module()
class RandomRotateDepth(RandomRotate):
    """mmseg's RandomRotate about the centre, with NaN where the rotated depth has no pixel."""

    def __init__(
        self,
        prob: float,
        degree: float | tuple[float, float],
        pad_val: float = 0,
        seg_pad_val: float = 255,
    ) -> None:
        super().__init__(prob, degree, pad_val=pad_val, seg_pad_val=seg_pad_val)

    def transform(self, results: dict) -> dict:
        """Rotate ``img`` bilinearly, every map in ``seg_fields`` by nearest pixels.

        Raises:
            InputError: If the maps are normals, which would have to turn too.
        """
        if 'gt_normals_map' in results:
            raise InputError('RandomRotateDepth does not rotate normals: leave the step out')
        rotate, degree = self.generate_degree()
        if not rotate:
            return results
        results['img'] = mmcv.imrotate(
            results['img'], degree, border_value=(self.pal_val,) * results['img'].ndim
        )
        for key in results.get('seg_fields', []):
            results[key] = mmcv.imrotate(
                results[key],
                degree,
                border_value=np.nan if key == 'gt_depth_map' else self.seg_pad_val,
                interpolation='nearest',
            )
        return results
