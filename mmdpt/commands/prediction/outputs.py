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
from mmdpt.inference.mesh import MOST_VERTICES, import_trimesh

if TYPE_CHECKING:  # what --help needs is imported in no time
    from mmdpt.inference.prediction import Prediction

PICTURES = {
    'colour': 'the map in colours, bright is near, or normals (_colour); the labels over the image '
    '(_overlay)',
    'side-by-side': 'the image beside these, with scale and class names (_side-by-side)',
}
"""JPEG files; for a video, mp4."""
NUMBERS = {
    'png': '16 bits: millimetres, or a disparity that text in the file says how to invert; labels',
    'pfm': 'the map as float32, bottom row first',
    'npy': 'the map as float32; labels',
    'ply': 'point cloud [m]: x right, y down, z forward',
    'glb': 'mesh [m] with the picture on it: x right, y up, z backward, as glTF has it',
    'normals': 'of the surface, drawn as png, and npy: x right, y down, z forward',
}
"""Files named after their content: _depth, _disparity or _relative, _labels, _sky, _points, ..."""
IN_SPACE = ('ply', 'glb', 'normals')
"""Kinds that need metric depth and the camera."""
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
        edge_threshold: Threshold of the depth edges that a point cloud or mesh leaves out; by
            default, that of ``Prediction.to_pointcloud`` and of ``Prediction.to_mesh``.
        max_vertices: Most vertices of a mesh.

    Raises:
        InputError: If a kind is unknown or there is none, trimesh is needed and not installed, or
            the threshold is not positive or a mesh would have fewer than 4 vertices.
    """

    folder: Path
    kinds: Collection[str] = tuple(PICTURES)
    edge_threshold: float | None = None
    max_vertices: float = MOST_VERTICES

    def __post_init__(self) -> None:
        known = [*PICTURES, *NUMBERS]
        if not self.kinds or not set(self.kinds) <= set(known):
            raise InputError(f'what is written is some of {", ".join(known)}, got {self.kinds}')
        if 'glb' in self.kinds:
            import_trimesh()
        if self.edge_threshold is not None and not self.edge_threshold > 0:
            raise InputError(f'the edge threshold must be positive, got {self.edge_threshold}')
        if not self.max_vertices >= 4:
            raise InputError(f'a mesh has at least 4 vertices, got {self.max_vertices} as the most')

    @property
    def needs_camera(self) -> bool:
        """Whether a kind needs the camera."""
        return not set(IN_SPACE).isdisjoint(self.kinds)

    def check_model(self, output: str | None, name: str = 'the model') -> None:
        """Refuse kinds that a model cannot give, before anything is predicted.

        ``output`` is what the map is, after an alignment, or 'normals'; None for labels alone.

        Raises:
            InputError: If there is such a kind.
        """
        for kind in self.kinds:
            if kind in ('pfm', *IN_SPACE) and output in (None, 'normals') and kind != output:
                what = output or 'labels'
                raise InputError(f'{name} predicts {what}, which are not written as {kind}')
        if self.needs_camera and output == 'relative':
            raise InputError(
                f'{name} predicts relative disparity, which gives no points in space: align it to '
                'known points'
            )

    def path(self, name: str, ending: str) -> Path:
        """Give the path of a file for an image."""
        return self.folder / f'{name}_{ending}'

    def write(self, prediction: 'Prediction', pictures: bool = True) -> list[Path]:
        """Write every kind, or all but pictures; each file appears complete or not at all.

        Raises:
            InputError: If the prediction cannot give a kind, or a file cannot be written.
        """
        if self.needs_camera and prediction.own_normals is None:  # before an image's first file
            prediction.known_camera()
        paths = []
        for ending, write in self.files(prediction, pictures):
            paths.append(self.path(prediction.name, ending))
            write(paths[-1])
        return paths

    def files(
        self, prediction: 'Prediction', pictures: bool = True
    ) -> Iterator[tuple[str, Writer]]:
        """Give for each file what follows 'NAME_' in its name, and what writes it."""
        if pictures:
            yield from self._pictures(prediction)
        yield from self._numbers(prediction)

    def _pictures(self, prediction: 'Prediction') -> Iterator[tuple[str, Writer]]:
        if 'colour' in self.kinds:
            for ending, picture in coloured(prediction):
                yield f'{ending}.jpg', partial(_write_jpeg, picture)
        if 'side-by-side' in self.kinds:
            yield 'side-by-side.jpg', partial(_write_jpeg, lambda: np.asarray(prediction.plot()))

    def _numbers(self, prediction: 'Prediction') -> Iterator[tuple[str, Writer]]:
        save = partial(
            prediction.save, edge_threshold=self.edge_threshold, max_vertices=self.max_vertices
        )
        for kind in (kind for kind in NUMBERS if kind in self.kinds):
            if kind == 'normals':
                yield from ((f'normals.{end}', prediction.save_normals) for end in ('png', 'npy'))
            elif kind in IN_SPACE:
                yield 'points.ply' if kind == 'ply' else 'mesh.glb', save
            elif prediction.map is not None:
                yield f'{prediction.output}.{kind}', save
            if prediction.labels is not None and kind in ('png', 'npy'):
                yield f'labels.{kind}', prediction.save_labels
            if prediction.sky is not None and kind in ('png', 'npy'):
                yield f'sky.{kind}', prediction.save_sky
            own = prediction.own_normals is not None and 'normals' not in self.kinds
            if own and kind in ('png', 'npy'):
                yield f'normals.{kind}', prediction.save_normals


def coloured(
    prediction: 'Prediction', low: float | None = None, high: float | None = None
) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Give the names of a prediction's coloured pictures, and functions that draw them.

    A picture is (H, W, 3) uint8 RGB. ``low`` and ``high`` are those of ``Prediction.colour_map``.
    """
    if prediction.map is not None or prediction.own_normals is not None:
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
