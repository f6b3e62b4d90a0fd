"""What a run reports about its images: a line of JSON for each, and a summary."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from mmengine.dist import get_dist_info

from .ranks import all_ranks

if TYPE_CHECKING:
    from mmdpt.inference.prediction import Prediction

FAILED = 'failed-{}.jsonl'
"""List of a process of a launcher, a line for each image that failed."""
UNITS = {
    'depth': 'depth [m]',
    'disparity': 'disparity [1/m]',
    'relative': 'relative disparity (larger is closer, no unit)',
}


class RunReport:
    """Counts images and files, and prints what is asked for.

    A process of a launcher lists the images that failed in the folder of the files. The stream
    ``lines``, if any, gets a line of JSON for each image.
    """

    def __init__(
        self, folder: Path, lines: TextIO | None = None, known_points: str | None = None
    ) -> None:
        self.folder = folder
        self.what = 'image'
        self.says_focal = False
        self.num_done = 0
        self.num_files = 0
        self.num_images = 0
        self.failures: list[str] = []
        self.rank, self.num_ranks = get_dist_info()
        self._lines = lines
        self._known_points = known_points
        self._predicted = ''

    def done(
        self, prediction: 'Prediction', source: str, files: Sequence[Path], seconds: float
    ) -> None:
        """Count an image whose files are written."""
        self.num_done += 1
        self.num_files += len(files)
        self._predicted = _said(prediction, prediction.focal if self.says_focal else '')
        height, width = prediction.image.shape[:2]
        line: dict[str, Any] = dict(
            source=source,
            name=prediction.name,
            output=prediction.output or ('labels' if prediction.own_normals is None else 'normals'),
            unit=prediction.unit,
            is_metric=prediction.is_metric,
            size=[width, height],
        )
        if prediction.map is not None:
            line.update(_statistics(prediction.map))
        if self.says_focal and prediction.focal:
            line.update(focal=prediction.focal)
        if self._known_points is not None:
            line.update(aligned_to=self._known_points)
        if prediction.labels is not None:
            line.update(classes=_shares(prediction))
        self._print(line, files=[str(path) for path in files], seconds=round(seconds, 3))

    def failed(self, name: str, source: str, error: Exception) -> None:
        """Count an image without a result."""
        message = str(error)
        self.failures.append(message if source in message else f'{source}: {message}')
        line = dict(source=source, name=name)
        self._print(line, error=message)
        if self.num_ranks > 1:
            with (self.folder / FAILED.format(self.rank)).open('a', encoding='utf-8') as file:
                print(json.dumps({**line, 'error': message}), file=file)

    def video_written(self, name: str, source: str, files: Sequence[Path], seconds: float) -> None:
        """Count the videos of all frames."""
        self.num_files += len(files)
        line = dict(source=source, name=name, frames=self.num_done)
        self._print(line, files=[str(path) for path in files], seconds=round(seconds, 3))

    def remove_lists(self) -> None:
        """Remove the lists of failed images that an earlier run left."""
        for path in self.folder.glob(FAILED.format('*')):
            path.unlink(missing_ok=True)

    def finish(self) -> int:
        """Add up what all processes did, let the first print it, and give the exit code.

        Raises:
            InputError: If a process is lost.
        """
        parts = all_ranks((self.num_done, self.num_files, self.failures, self._predicted))
        done, files, failures, predicted = zip(*parts, strict=True)
        self.num_done, self.num_files = sum(done), sum(files)
        self.failures = [failure for part in failures for failure in part]
        self._predicted = next(filter(None, predicted), '')
        before = self.num_images - self.num_done - len(self.failures)
        if self.rank == 0 and before > 0:
            print(f'{_counted(before, self.what)} done before, left out', file=sys.stderr)
        if self.rank == 0:
            self.print_summary()
        return 1 if self.failures else 0

    def print_summary(self) -> None:
        """Print counts, to standard error if JSON goes to standard output, and the failures."""
        if not self.num_done and not self.failures:
            return
        predicted = self._predicted
        if self._known_points and predicted:
            predicted += f', aligned to the known points of {self._known_points}'
        done = f'{_counted(self.num_done, self.what)}: {_counted(self.num_files, "file")}'
        parts = [f'{done} in {self.folder}', predicted]
        print('; '.join(filter(None, parts)), file=sys.stderr if self._lines else sys.stdout)
        if self.failures:
            total = self.num_done + len(self.failures)
            failed = f'{len(self.failures)} of {_counted(total, self.what)} failed'
            if self.num_ranks > 1:
                print(f'{failed}, see {self.folder / FAILED.format("*")}', file=sys.stderr)
                return
            print(f'{failed}:', *self.failures, sep='\n  ', file=sys.stderr)

    def _print(self, line: dict[str, Any], **more: Any) -> None:
        if self._lines is not None:
            text = json.dumps({**line, **more}, allow_nan=False, ensure_ascii=False)
            print(text, file=self._lines, flush=True)


def _counted(number: int, what: str) -> str:
    return f'{number} {what}' if number == 1 else f'{number} {what}s'


def _said(prediction: 'Prediction', focal: str) -> str:
    said = [UNITS[prediction.output]] if prediction.output else []
    if prediction.labels is not None:
        said.append(f'labels of {len(prediction.classes)} classes')
    if prediction.own_normals is not None:
        said.append('normals (x right, y down, z forward)')
    if focal:
        said[0] += f' with a focal length of {focal}'
    return ' and '.join(said)


def _statistics(values: np.ndarray) -> dict[str, float | None]:
    """Give least, median and greatest of the finite numbers; None if there are none."""
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return dict(min=None, median=None, max=None)
    numbers = dict(min=finite.min(), median=np.median(finite), max=finite.max())
    return {key: float(f'{value:.6g}') for key, value in numbers.items()}


def _shares(prediction: 'Prediction') -> dict[str, float]:
    """Give each predicted class's share of the pixels, the greatest first."""
    assert prediction.labels is not None
    counts = np.bincount(prediction.labels.ravel())
    order = [k for k in np.argsort(-counts, kind='stable').tolist() if counts[k]]
    names = prediction.classes
    return {
        names[k] if k < len(names) else str(k): float(f'{counts[k] / counts.sum():.4g}')
        for k in order
    }
