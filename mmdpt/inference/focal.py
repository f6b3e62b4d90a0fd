"""The camera of a picture: for models whose depth depends on it, and for points in space."""

import math
import os
from dataclasses import dataclass

from PIL import Image

from mmdpt.errors import InputError

from .point_cloud import Intrinsics

EXIF_IFD, FOCAL_35_MM = 0x8769, 0xA405
DIAGONAL_35_MM = math.hypot(36, 24)
"""Diagonal of the film [mm] that the equivalent focal length is for."""


@dataclass(frozen=True)
class Camera:
    """What is known of the camera of all pictures: intrinsics [px] or a field of view [deg].

    Raises:
        InputError: If both are given, or one is out of range.
    """

    intrinsics: Intrinsics | None = None
    field_of_view: float | None = None

    def __post_init__(self) -> None:
        if self.intrinsics is not None and self.field_of_view is not None:
            raise InputError('the camera has either intrinsics or a field of view, not both')
        self.of_picture(1, 1)

    def of_picture(
        self, width: int, height: int, source: str = '', default: float | None = None
    ) -> tuple[Intrinsics | None, str]:
        """Give a picture's intrinsics and where they are from: None, '' where nothing says them.

        Args:
            width: Width of the picture [px].
            height: Height of the picture [px].
            source: Its file, whose EXIF is read where the camera is not known.
            default: Focal length [px] of the config, for files that say none.
        """
        if self.intrinsics is not None:
            return self.intrinsics.checked(), 'given'
        if self.field_of_view is not None:
            view = Intrinsics.from_field_of_view(self.field_of_view, width, height)
            return view, 'field of view'
        for focal, origin in ((focal_from_exif(source), 'EXIF'), (default, 'config')):
            if focal is not None:
                return Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2), origin
        return None, ''


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
