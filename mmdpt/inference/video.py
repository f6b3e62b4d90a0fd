"""Videos frame by frame, and one colour range for all of their frames."""

import math
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from mmdpt.errors import InputError
from mmdpt.files.atomic import atomic_path
from mmdpt.files.image_checks import check_pixels
from mmdpt.visualization.depth import colour_range

VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')
CODEC = 'mp4v'
"""MPEG-4 part 2, which pip's OpenCV can write; it has no encoder for H.264."""
_ASF = bytes.fromhex('3026b2758e66cf11a6d900aa0062ce6c')
_CONTAINERS = re.compile(
    rb'RIFF....AVI |\x1aE\xdf\xa3|\x00\x00\x01[\xb3\xba]|G.{3}'
    rb'|....(?:ftyp|moov|mdat|free|skip|wide|pnot)|' + re.escape(_ASF),
    re.DOTALL,
)
"""How files of ``VIDEO_SUFFIXES`` begin (libavformat's probes; MPEG transport streams too)."""
USUAL_FPS = 25.0
"""Where a camera or a file does not say."""


def is_video(source: Any) -> bool:
    """Whether a source is a local file with a video's suffix, or the index of a camera.

    An index is an int, or digits that name no file.
    """
    if _camera(source) is not None:
        return True
    if not isinstance(source, str | os.PathLike):
        return False
    path = os.fsdecode(source)
    return path.lower().endswith(VIDEO_SUFFIXES) and '://' not in path and not os.path.isdir(path)


def _camera(source: Any) -> int | None:
    if isinstance(source, int) and not isinstance(source, bool) and source >= 0:
        return source
    if isinstance(source, str) and re.fullmatch('[0-9]+', source) and not os.path.exists(source):
        return int(source)
    return None


class VideoReader:
    """Gives the frames of a video file or camera once, each (H, W, 3) uint8 RGB, upright.

    Args:
        source: As of ``is_video``.

    Attributes:
        fps: Frames a second; ``USUAL_FPS`` where the source does not say.
        size: Width and height [px].
        num_frames: As the file's header says; None for a camera.

    Raises:
        InputError: If the source is missing, cannot be opened or has no frame.
    """

    def __init__(self, source: str | Path | int) -> None:
        camera = _camera(source)
        what = f'video {source}' if camera is None else f'camera {camera}'
        if camera is None and not os.path.isfile(source):
            raise InputError(f'there is no {what}')
        if camera is None:
            _check_container(source)
        with _without_log():
            self._capture = cv2.VideoCapture(str(source) if camera is None else camera)
        if not self._capture.isOpened():
            raise InputError(f'{what} cannot be opened')
        height, width = (
            int(self._capture.get(key))
            for key in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
        )
        try:
            check_pixels(height, width, what)
        except InputError:
            self._capture.release()
            raise
        found, frame = self._capture.read()
        if not found:
            self._capture.release()
            raise InputError(f'{what} has no frame that can be read')
        self._first: np.ndarray | None = frame
        self.size = (frame.shape[1], frame.shape[0])
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if math.isfinite(fps) and fps > 0 else USUAL_FPS
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.num_frames = count if camera is None and count > 0 else None

    def __enter__(self) -> 'VideoReader':
        return self

    def __exit__(self, *raised: object) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[np.ndarray]:
        frame, self._first = self._first, None
        if frame is None:
            frame = self._capture.read()[1]
        while frame is not None:
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            frame = self._capture.read()[1]


def named_frames(reader: VideoReader, stem: str) -> Iterator[tuple[np.ndarray, str]]:
    """Give frames with names that sort as they follow each other."""
    for index, frame in enumerate(reader):
        yield frame, f'{stem}_{index:06d}'


class VideoWriter:
    """Writes an mp4 that is whole or absent.

    An odd width or height grows by one pixel, which repeats the border: the codec halves the
    resolution of the colours, and OpenCV would cut the pixel off.

    Args:
        path: File ending in .mp4.
        fps: Frames a second.

    Raises:
        InputError: If the path has another suffix; on entering, if it cannot be written; on
            leaving, if no frame was written or the file does not hold all of them.
        ValueError: If the frame rate is not positive.
    """

    def __init__(self, path: str | os.PathLike, fps: float) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != '.mp4':
            raise InputError(f'{self.path}: a video is written as .mp4')
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f'fps must be positive, got {fps}')
        self.fps = fps
        self._video: cv2.VideoWriter | None = None
        self._shape: tuple[int, ...] = ()
        self._written = 0

    def __enter__(self) -> 'VideoWriter':
        with ExitStack() as stack:
            self._unfinished = stack.enter_context(atomic_path(self.path))
            self._unfinished.touch()  # which says why it cannot be written; OpenCV does not
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, frame: np.ndarray) -> None:
        """Append a frame.

        Args:
            frame: (H, W, 3) uint8 RGB, of the size of the first.

        Raises:
            InputError: If the codec is missing.
            ValueError: If the frame has another shape or number type.
        """
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
            raise ValueError(
                f'expected a frame (H, W, 3) of uint8, got {frame.shape} {frame.dtype}'
            )
        if self._shape and frame.shape != self._shape:
            raise ValueError(f'expected a frame {self._shape}, got {frame.shape}')
        height, width = frame.shape[:2]
        if self._video is None:
            self._shape = frame.shape
            self._video = self._open(width + width % 2, height + height % 2)
        bordered = cv2.copyMakeBorder(
            cv2.cvtColor(frame, cv2.COLOR_RGB2BGR),
            *(0, height % 2, 0, width % 2),
            cv2.BORDER_REPLICATE,
        )
        with _without_log():
            self._video.write(bordered)
        self._written += 1

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        code = cv2.VideoWriter.fourcc(*CODEC)
        with _without_log():
            video = cv2.VideoWriter(str(self._unfinished), code, self.fps, (width, height))
        if not video.isOpened():
            raise InputError(
                f'{self.path} cannot be written: this OpenCV has no encoder {CODEC}; that of '
                'pip install opencv-python-headless has'
            )
        return video

    def _finish(self, kind: type[BaseException] | None, *raised: object) -> None:
        if self._video is not None:
            self._video.release()
        if kind is not None:
            return
        if not self._written:
            raise InputError(f'{self.path}: no frame to write')
        with _without_log():
            again = cv2.VideoCapture(str(self._unfinished))
        # OpenCV does not say when a write fails; a file without its index has -1 frames.
        held = max(0, int(again.get(cv2.CAP_PROP_FRAME_COUNT)))
        again.release()
        if held != self._written:
            raise InputError(
                f'{self.path}: only {held} of {self._written} frames could be written; is the '
                'disk full?'
            )


def _check_container(source: str | Path | int) -> None:
    """Refuse what is no container of video but a list of other files and addresses to open.

    FFmpeg goes by the content, whatever the file is called.
    """
    with open(str(source), 'rb') as file:
        start = file.read(len(_ASF))
    if not _CONTAINERS.match(start):
        raise InputError(
            f'video {source} is of no kind that is read: AVI, ASF, Matroska, MP4, MPEG, QuickTime, '
            'WebM'
        )


@contextmanager
def _without_log() -> Iterator[None]:
    """Keep OpenCV from printing what the error says."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


class RunningRange:
    """Follows the range of a map through a video slowly, so that its colours do not flicker.

    Args:
        momentum: Share of the range that stays from frame to frame, in [0, 1).

    Raises:
        ValueError: If the momentum is outside.
    """

    def __init__(self, momentum: float = 0.9) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f'momentum must be in [0, 1), got {momentum}')
        self.momentum = momentum
        self._range: np.ndarray | None = None

    def update(self, values: np.ndarray) -> tuple[float, float]:
        """Take a frame's map into the average of its ``colour_range``.

        Args:
            values: Of any shape; what is not finite does not count.

        Returns:
            Ends of the range; the former ones if no value is finite, at first 0 and 1.
        """
        if np.isfinite(values).any():
            now = np.array(colour_range(values.astype(np.float64)))
            before = now if self._range is None else self._range
            self._range = self.momentum * before + (1 - self.momentum) * now
        low, high = (0.0, 1.0) if self._range is None else self._range
        return float(low), float(high)
