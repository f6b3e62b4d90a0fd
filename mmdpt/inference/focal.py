"""The focal length of a picture, for models whose depth depends on the camera."""

import math
import os
from typing import NamedTuple

from PIL import Image

from .point_cloud import Intrinsics

EXIF_IFD, FOCAL_35_MM = 0x8769, 0xA405
DIAGONAL_35_MM = math.hypot(36, 24)
"""Diagonal of the film [mm] that the equivalent focal length is for."""


class Camera(NamedTuple):
    """What is known of the camera of all pictures: a focal length [px], a field of view [deg]."""

    focal: float | None = None
    field_of_view: float | None = None

    def of_picture(self, width: int, source: str = '') -> tuple[float | None, str]:
        """Give a picture's focal length [px] and where it is from, None where nothing says it.

        Args:
            width: Width of the picture [px].
            source: Its file, whose EXIF is read where the camera is not known.

        Raises:
            InputError: If the field of view is not between 0 and 180 degrees.
        """
        if self.focal is not None:
            return self.focal, 'given'
        if self.field_of_view is not None:
            return Intrinsics.from_field_of_view(self.field_of_view, width, 1).fx, 'field of view'
        return focal_from_exif(source), 'EXIF'


def focal_from_exif(path: str) -> float | None:
    """Give the focal length [px] of a file that says its equivalent on 35 mm film, by diagonals."""
    if not os.path.isfile(path):
        return None
    try:
        with Image.open(path) as image:
            equivalent = float(image.getexif().get_ifd(EXIF_IFD).get(FOCAL_35_MM) or 0)
            diagonal = math.hypot(*image.size)
    except Exception:  # the picture itself is read elsewhere, where errors are told
        return None
    return equivalent / DIAGONAL_35_MM * diagonal if equivalent > 0 else None
