"""What the page does with a picture, without a server."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.inference.focal import EXIF_IFD, FOCAL_35_MM, Camera
from mmdpt.inference.images import read_image
from mmdpt.inference.inferencer import DPTInferencer
from mmdpt.inference.known_points import KnownPoints
from mmdpt.inference.prediction import PLOT_WIDTHS, Prediction
from mmdpt.scenes import render_sample
from mmdpt.visualization.depth import RELATIVE, colour_bar, colour_range, colours_of
from mmdpt.visualization.tiling import below

from ..prediction.outputs import IN_SPACE, NUMBERS, PICTURES, Outputs

KEPT = 3600
"""How long files and pictures are kept [s]."""
BAR_WIDTH = 480
EXAMPLE_SIZE = (640, 480)


class Shown(NamedTuple):
    """What a browser window shows."""

    predicted: Prediction
    """By the model."""
    prediction: Prediction
    """The same, or aligned to the points."""
    points: tuple[tuple[float, float, float], ...] = ()
    """Column, row [px] and depth [m]."""
    pixel: tuple[int, int] | None = None
    """Column and row that were clicked last [px]."""


class Page:
    """The functions behind the page; they write into folders below ``folder``."""

    def __init__(self, inferencer: DPTInferencer, folder: Path) -> None:
        self.inferencer = inferencer
        self.folder = folder
        self.has_depth = inferencer.depth_head is not None
        self.colours: dict[str, str] = {}
        if inferencer.segments:
            palette = zip(inferencer.classes, inferencer.palette, strict=True)
            self.colours = {name: '#{:02x}{:02x}{:02x}'.format(*rgb) for name, rgb in palette}
        self.has_map = self.has_depth or inferencer.gives_normals
        own = ('normals',) if inferencer.gives_normals else ()
        needs_depth = set() if self.has_depth else {'pfm', *IN_SPACE}.difference(own)
        self.kinds = [kind for kind in (*PICTURES, *NUMBERS) if kind not in needs_depth]

    def predict(self, path: str, field_of_view: float = 0) -> Shown:
        """Predict a file; a field of view of 0 [deg] is that of its EXIF.

        Raises:
            InputError: If it cannot be predicted.
        """
        self.inferencer.camera = Camera(field_of_view=field_of_view or None)
        try:
            image = read_image(path)
        except InputError as error:  # nobody has to know where uploads lie
            raise InputError(str(error).replace(path, Path(path).name)) from error
        (predicted,) = self.inferencer.predict_images([image], [Path(path).stem], [path])
        return Shown(predicted, predicted)

    def add_point(self, shown: Shown, metres: float | None) -> Shown:
        """Take the depth [m] of the clicked pixel as known; from two points on, align to them.

        Raises:
            InputError: If nothing was clicked, the depth is not positive or the points do not fit.
        """
        if shown.pixel is None:
            raise InputError('click a pixel first')
        if metres is None or not metres > 0:
            raise InputError(f'depth must be positive [m], got {metres}')
        kept = tuple(point for point in shown.points if point[:2] != shown.pixel)
        points = (*kept, (*shown.pixel, metres))
        prediction = shown.predicted
        if len(points) > 1:
            prediction = prediction.align(KnownPoints(*np.array(points).T))
        return shown._replace(prediction=prediction, points=points)

    def value(self, shown: Shown) -> str:
        """Say what is predicted at the clicked pixel, with its unit."""
        prediction, pixel = shown.prediction, shown.pixel
        if pixel is None:
            return 'Click a pixel to read its value.'
        said = []
        if prediction.map is not None:
            unit = prediction.unit or f'({RELATIVE}, larger is closer)'
            said.append(f'{prediction.map[pixel[::-1]]:.4g} {unit}')
        if prediction.own_normals is not None:
            numbers = prediction.own_normals[pixel[::-1]]
            said.append(' '.join(f'{number:.3f}' for number in numbers))
        if prediction.labels is not None:
            label = int(prediction.labels[pixel[::-1]])
            said.append(dict(enumerate(prediction.classes)).get(label, f'label {label}'))
        if prediction.sky is not None and prediction.sky[pixel[::-1]]:
            said.append('sky')
        return f'Column {pixel[0]}, row {pixel[1]}: **{", ".join(said)}**'

    def camera(self, shown: Shown) -> str:
        """Say what the picture is, and which camera is assumed."""
        prediction = shown.prediction
        height, width = prediction.image.shape[:2]
        focal = prediction.focal and f', focal length {prediction.focal}'
        return f'{prediction.name}: {width} x {height} px{focal}'

    def depth_picture(self, shown: Shown) -> np.ndarray | None:
        """Draw the map with its colour bar below, or the normals; and the clicked pixels."""
        prediction = shown.prediction
        if prediction.map is None and prediction.own_normals is None:
            return None
        picture = np.ascontiguousarray(prediction.colour_map())
        width = picture.shape[1]
        size = max(12, width // 30)
        pixels = [(round(x), round(y)) for x, y, _ in shown.points]
        for x, y in dict.fromkeys([*pixels, *([shown.pixel] if shown.pixel else [])]):
            for colour, thickness in ((0, 3), (255, 1)):  # seen on any colour
                thickness *= 1 + width // 1000
                cv2.drawMarker(picture, (x, y), (colour,) * 3, cv2.MARKER_CROSS, size, thickness)
        if prediction.map is None:
            return picture
        unit = f'[{prediction.unit}]' if prediction.unit else RELATIVE
        legend = (*colour_range(prediction.map), colours_of(prediction.unit), unit)
        bar = colour_bar(BAR_WIDTH, legend)
        bar = cv2.resize(bar, (width, max(1, round(bar.shape[0] * width / BAR_WIDTH))))
        return below([picture, bar], gap=0)

    def masks(self, shown: Shown) -> tuple[np.ndarray, list[tuple[np.ndarray, str]]] | None:
        """Give a picture of at most ``PLOT_WIDTHS[1]`` px and a mask for each class in it."""
        labels, image = shown.prediction.labels, shown.prediction.image
        if labels is None:
            return None
        height, width = labels.shape
        size = min(width, PLOT_WIDTHS[1]), max(1, round(height * min(1, PLOT_WIDTHS[1] / width)))
        labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        names = dict(enumerate(shown.prediction.classes))
        masks = [(labels == k, names[k]) for k in np.unique(labels).tolist() if k in names]
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA), masks

    def write(self, shown: Shown, kinds: Sequence[str]) -> list[str]:
        """Write files as ``mmdpt predict --write`` does; older ones are removed after an hour.

        Raises:
            InputError: If the prediction cannot give a kind.
        """
        for old in self.folder.iterdir():
            if old.stat().st_mtime < time.time() - KEPT:
                shutil.rmtree(old, ignore_errors=True)
        outputs = Outputs(Path(tempfile.mkdtemp(dir=self.folder)), kinds)
        normals = 'normals' if self.inferencer.gives_normals else None
        outputs.check_model(shown.prediction.output or normals, shown.prediction.name)
        return [str(path) for path in outputs.write(shown.prediction)]

    def mesh(self, shown: Shown) -> tuple[str | None, str]:
        """Write the mesh for the browser; say why there is none."""
        if not self.has_depth:
            return None, ''
        try:
            return self.write(shown, ['glb'])[0], ''
        except InputError as error:
            return None, f'No mesh. {error}'


def render_examples(folder: Path, number: int = 4) -> list[str]:
    """Render pictures of rooms and streets, whose EXIF names their focal length; give paths."""
    paths = []
    for index in range(number):
        view, rendering = render_sample(0, 'validation', index, EXAMPLE_SIZE)
        exif = Image.Exif()
        diagonals = np.hypot(36, 24) / np.hypot(*EXAMPLE_SIZE)
        exif.get_ifd(EXIF_IFD)[FOCAL_35_MM] = round(view.camera.focal * diagonals)
        paths.append(str(folder / f'{view.place}-{index}.jpg'))
        Image.fromarray(rendering.image).save(paths[-1], quality=92, exif=exif)
    return paths
