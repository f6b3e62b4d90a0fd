"""The files that are written for a prediction."""

import dataclasses
import io
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.files.atomic import write_atomically
from mmdpt.inference.point_cloud import Intrinsics, PointCloud

if TYPE_CHECKING:  # what --help needs is imported in no time
    from mmdpt.inference.prediction import Prediction

PICTURES = {
    'colour': 'the map in colours, bright is near (_colour); the labels over the image (_overlay)',
    'side-by-side': 'the image beside these, with scale and class names (_side-by-side)',
}
"""JPEG files; for a video, mp4."""
NUMBERS = {
    'png': '16 bits: millimetres, or a disparity that text in the file says how to invert; labels',
    'pfm': 'the map as float32, bottom row first',
    'npy': 'the map as float32; labels',
    'ply': 'point cloud [m]: x right, y down, z forward',
}
"""Files named after their content: _depth, _disparity or _relative, _labels, _points."""
QUALITY = 95

Writer = Callable[[Path], None]


@dataclass(frozen=True)
class Outputs:
    """The folder of the outputs, and the files that are written for each prediction.

    A file's name is the name of its image, '_' and its content, which has no other '_'. So files of
    images with different names have different names.

    Args:
        folder: The folder, see ``make_folder``.
        kinds: Some of ``PICTURES`` and ``NUMBERS``.
        intrinsics: The camera, for a point cloud; or else ``field_of_view``.
        field_of_view: Horizontal field of view [deg], for a point cloud.

    Raises:
        InputError: If a kind is unknown or there is none, or the camera is missing or out of range.
    """

    folder: Path
    kinds: Collection[str] = tuple(PICTURES)
    intrinsics: Intrinsics | None = None
    field_of_view: float | None = None

    def __post_init__(self) -> None:
        known = [*PICTURES, *NUMBERS]
        if not self.kinds or not set(self.kinds) <= set(known):
            raise InputError(f'what is written is some of {", ".join(known)}, got {self.kinds}')
        cameras = (self.intrinsics is not None) + (self.field_of_view is not None)
        if cameras > 1 or (not cameras and 'ply' in self.kinds):
            raise InputError(
                'a point cloud (ply) needs either the intrinsics of the camera or its field of view'
            )
        if self.field_of_view is not None:
            Intrinsics.from_field_of_view(self.field_of_view, width=1, height=1)
        if self.intrinsics is not None:
            PointCloud.from_depth(np.ones((1, 1)), np.zeros((1, 1, 3), np.uint8), self.intrinsics)

    @property
    def knows_camera(self) -> bool:
        """Whether intrinsics or a field of view are given."""
        return self.intrinsics is not None or self.field_of_view is not None

    def check_model(self, output: str | None, name: str = 'the model') -> None:
        """Refuse kinds that a model cannot give, before anything is predicted.

        ``output`` is what the map is, after an alignment; None for labels alone.

        Raises:
            InputError: If there is such a kind.
        """
        for kind in self.kinds:
            if kind in ('pfm', 'ply') and output is None:
                raise InputError(f'{name} predicts labels, which are not written as {kind}')
        if 'ply' in self.kinds and output == 'relative':
            raise InputError(
                f'{name} predicts relative disparity, which gives no point cloud: align it to '
                'known points'
            )

    def path(self, name: str, ending: str) -> Path:
        """Give the path of a file for an image."""
        return self.folder / f'{name}_{ending}'

    def write(self, prediction: 'Prediction') -> list[Path]:
        """Write every kind; each file appears complete or not at all.

        Raises:
            InputError: If the prediction cannot give a kind, or a file cannot be written.
        """
        files = [*self._pictures(prediction), *self._numbers(prediction)]
        return self._write(prediction, files)

    def write_numbers(self, prediction: 'Prediction') -> list[Path]:
        """Write the files that are no pictures, see ``write``."""
        return self._write(prediction, self._numbers(prediction))

    def endings(self, prediction: 'Prediction') -> list[str]:
        """Name the files of a prediction by what follows 'NAME_'."""
        files = [*self._pictures(prediction), *self._numbers(prediction)]
        return [ending for ending, _ in files]

    def _write(self, prediction: 'Prediction', files: Collection[tuple[str, Writer]]) -> list[Path]:
        paths = [self.path(prediction.name, ending) for ending, _ in files]
        for path, (_, write) in zip(paths, files, strict=True):
            write(path)
        return paths

    def _pictures(self, prediction: 'Prediction') -> Iterator[tuple[str, Writer]]:
        if 'colour' in self.kinds:
            for ending, picture in coloured(prediction):
                yield f'{ending}.jpg', partial(_write_jpeg, picture)
        if 'side-by-side' in self.kinds:
            yield 'side-by-side.jpg', partial(_write_jpeg, lambda: np.asarray(prediction.plot()))

    def _numbers(self, prediction: 'Prediction') -> list[tuple[str, Writer]]:
        files: list[tuple[str, Writer]] = []
        save = partial(
            prediction.save, intrinsics=self.intrinsics, field_of_view=self.field_of_view
        )
        for kind in (kind for kind in NUMBERS if kind in self.kinds):
            if kind == 'ply':
                files.append(('points.ply', save))
            elif prediction.map is not None:
                files.append((f'{prediction.output}.{kind}', save))
            if prediction.labels is not None and kind in ('png', 'npy'):
                files.append((f'labels.{kind}', prediction.save_labels))
        return files


def coloured(
    prediction: 'Prediction', low: float | None = None, high: float | None = None
) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Give the names of a prediction's coloured pictures, and functions that draw them.

    A picture is (H, W, 3) uint8 RGB. ``low`` and ``high`` are those of ``Prediction.colour_map``.
    """
    if prediction.map is not None:
        yield 'colour', partial(prediction.colour_map, low, high)
    if prediction.labels is not None:
        labels_alone = dataclasses.replace(
            prediction, map=None, output=None, unit='', is_metric=False
        )
        yield 'overlay', labels_alone.colour_map


def _write_jpeg(picture: Callable[[], np.ndarray], path: Path) -> None:
    image, buffer = Image.fromarray(picture()), io.BytesIO()
    try:
        # colours at full resolution: text and thin lines would get coloured fringes at half
        image.save(buffer, 'JPEG', quality=QUALITY, subsampling=0)
    except (OSError, ValueError) as error:  # a side is longer than 65535 px
        raise InputError(
            f'{path}: {image.width} x {image.height} px are no JPEG: {error}'
        ) from None
    write_atomically(path, buffer.getvalue())
