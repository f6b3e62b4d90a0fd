"""From the values of a label file to classes, and from classes back to these values."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from mmdpt.errors import InputError

IGNORE_INDEX = 255


def as_classes(label: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
    """Give the class of every value of a label file; 255 is ignored.

    Args:
        label: Values of the file, (H, W).
        info: What the data set says: ``file_map`` replaces values, ``reduce_zero_label`` ignores 0
            and lowers the others by 1, mmseg's ``label_map`` replaces classes, and ``num_classes``
            is their number, which is not checked without.

    Returns:
        (H, W) uint8.

    Raises:
        InputError: If a value is neither a class nor ignored; names ``seg_map_path`` and the value.
    """
    if label.dtype in (np.uint8, np.uint16):
        values, places = np.arange(np.iinfo(label.dtype).max + 1), label
    else:
        values, places = np.unique(label, return_inverse=True)
        places = places.reshape(label.shape)
    read = _replaced(values.astype(np.int64), info.get('file_map'))
    shift = 1 if info.get('reduce_zero_label') else 0
    ignored = (read == IGNORE_INDEX) | (read == shift - 1)
    classes = np.where(ignored, IGNORE_INDEX, read - shift)
    wrong = (classes == IGNORE_INDEX) & ~ignored  # the value 256
    classes = _replaced(classes, info.get('label_map'))
    most = info.get('num_classes') or IGNORE_INDEX  # 8 bits hold no more
    wrong |= (classes < 0) | ((classes >= most) & (classes != IGNORE_INDEX))
    if (at_wrong := _look_up(wrong, places)).any():
        held = values[np.unique(places[at_wrong != 0])].tolist()
        raise InputError(
            f'label {info["seg_map_path"]} holds {held}: expected {shift}..{most - 1 + shift} for '
            f'the {most} classes, or {"0 or " if shift else ""}{IGNORE_INDEX} for ignored pixels; '
            'other values: dataset.ignore_labels or dataset.label_map'
        )
    return _look_up(classes, places)


def as_file_values(classes: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
    """Give the values that stand for classes in the label files of a data set.

    Where several values stand for a class, it is the first that ``file_map`` names.

    Args:
        classes: (H, W).
        info: See ``as_classes``.

    Returns:
        (H, W) uint8, or uint16 where a value is above 255.
    """
    values = np.arange(int(classes.max()) + 1)
    values = _replaced(values, _inverse(info.get('label_map')))
    values += 1 if info.get('reduce_zero_label') else 0
    values = _replaced(values, _inverse(info.get('file_map')))
    return values.astype(np.uint8 if values.max() <= 255 else np.uint16)[classes]


def _look_up(numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Give the uint8 number at each place; OpenCV takes a tenth of NumPy's time."""
    table = numbers.astype(np.uint8)
    return cv2.LUT(places, table) if places.dtype == np.uint8 else table[places]


def _replaced(values: np.ndarray, numbers: Mapping[int, int] | None) -> np.ndarray:
    replaced = values.copy()
    for old, new in (numbers or {}).items():
        replaced[values == old] = new
    return replaced


def _inverse(numbers: Mapping[int, int] | None) -> dict[int, int]:
    pairs = reversed(list((numbers or {}).items()))
    return {new: old for old, new in pairs if new != IGNORE_INDEX}
