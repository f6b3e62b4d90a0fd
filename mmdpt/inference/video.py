"""Videos frame by frame, each frame with its time.

Files are read and written by PyAV (FFmpeg), whose H.264 plays in browsers. Cameras are read by
OpenCV, which knows the devices of every operating system by one index.
"""

import math
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from mmdpt.errors import InputError
from mmdpt.files.atomic import atomic_path
from mmdpt.files.image_checks import check_pixels, greatest_pixels
from mmdpt.files.paths import check_file

VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')
CODEC = 'libx264'
USUAL_FPS = 25.0
"""Frames a second where a camera or a file does not say."""
TICKS = 90_000
"""Ticks a second of written times, as in MPEG."""
_ONE_FILE_ALONE = dict(
    # FFmpeg goes by the content: these formats name no other files or addresses to open
    format_whitelist='asf,avi,h264,hevc,m4v,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpeg,mpegts,'
    'mpegvideo',
    protocol_whitelist='none',
)


class Frame(NamedTuple):
    """A frame of a video.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright.
        time: Since the first frame [s].
    """

    pixels: np.ndarray
    time: float


def is_video(source: Any) -> bool:
    """Whether a source is a local file with a video's suffix, or the index of a camera.

    An index is an int, or digits that name no file.
    """
    if camera_index(source) is not None:
        return True
    if not isinstance(source, str | os.PathLike):
        return False
    path = os.fsdecode(source)
    return path.lower().endswith(VIDEO_SUFFIXES) and '://' not in path and not os.path.isdir(path)


def camera_index(source: Any) -> int | None:
    """Give the index of a camera, None for other sources."""
    if isinstance(source, int) and not isinstance(source, bool) and source >= 0:
        return source
    if isinstance(source, str) and re.fullmatch('[0-9]+', source) and not os.path.exists(source):
        return int(source)
    return None


class VideoReader:
    """Gives the frames of a video file or camera once.

    Packets of a file that cannot be decoded are left out, as players do.

    Args:
        source: See ``is_video``.

    Attributes:
        fps: Mean number of frames a second; ``USUAL_FPS`` if the source does not say.
        size: Width and height of a frame [px].
        num_frames: Number of frames that the file's header says; None for a camera.

    Raises:
        InputError: If the source is missing, cannot be opened, has no frame, or has frames of more
            pixels than ``mmdpt.files.image_checks`` allows.
    """

    def __init__(self, source: str | Path | int) -> None:
        self.num_frames: int | None = None
        self.fps = 0.0
        camera = camera_index(source)
        self._what = f'video {source}' if camera is None else f'camera {camera}'
        with ExitStack() as stack:
            frames = self._of_file(source, stack) if camera is None else _of_camera(camera, stack)
            self._frames = _since_first(frames)
            self._first = next(self._frames, None)
            if self._first is None:
                raise InputError(f'{self._what} has no frame that can be read')
            self._stack = stack.pop_all()
        height, width = self._first.pixels.shape[:2]
        self.size = (width, height)
        self.fps = self.fps or USUAL_FPS

    def __enter__(self) -> 'VideoReader':
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[Frame]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        yield from self._frames

    def _of_file(self, source: str | Path | int, stack: ExitStack) -> Iterator[Frame]:
        check_file(str(source), 'video')
        try:
            # an open file in place of its name, which FFmpeg could take for an address
            file = stack.enter_context(open(source, 'rb'))  # noqa: SIM115
            container: Any = stack.enter_context(av.open(file, options=_ONE_FILE_ALONE))
        except (av.FFmpegError, OSError) as error:
            raise InputError(
                f'{self._what} cannot be opened: it is damaged, or none of AVI, ASF, Matroska, '
                f'MP4, MPEG, QuickTime and WebM ({error.strerror})'
            ) from error
        stream = container.streams.best('video')
        if stream is None:
            raise InputError(f'{self._what} has no frame that can be read')
        check_pixels(stream.codec_context.height, stream.codec_context.width, self._what)
        # for later frames, which may be larger; the decoder counts padding too
        stream.codec_context.options = dict(max_pixels=str(2 * greatest_pixels() + (1 << 16)))
        stream.thread_type = 'AUTO'
        self.fps = float(stream.average_rate or stream.guessed_rate or 0)
        self.num_frames = stream.frames or None
        return self._decoded(container, stream)

    def _decoded(self, container: Any, stream: Any) -> Iterator[Frame]:
        number = 0
        size: dict[str, int] = {}
        packets = container.demux(stream)
        while True:
            try:
                frames = next(packets).decode()
            except (StopIteration, av.EOFError):
                return
            except av.FFmpegError:
                continue
            for frame in frames:
                check_pixels(frame.height, frame.width, self._what)
                size = size or dict(width=frame.width, height=frame.height)  # later ones may differ
                pixels = frame.to_ndarray(format='rgb24', **size)
                pixels = np.rot90(pixels, round(frame.rotation / 90))
                seconds = number / (self.fps or USUAL_FPS) if frame.time is None else frame.time
                number += 1
                yield Frame(np.ascontiguousarray(pixels), float(seconds))


def _since_first(frames: Iterator[Frame]) -> Iterator[Frame]:
    start = None
    for pixels, seconds in frames:
        start = seconds if start is None else start
        yield Frame(pixels, seconds - start)


def _of_camera(index: int, stack: ExitStack) -> Iterator[Frame]:
    with _without_log():
        capture = cv2.VideoCapture(index)
    stack.callback(capture.release)
    if not capture.isOpened():
        raise InputError(f'camera {index} cannot be opened')

    def frames() -> Iterator[Frame]:
        while (frame := capture.read()[1]) is not None:
            yield Frame(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), time.monotonic())

    return frames()


@contextmanager
def _without_log() -> Iterator[None]:
    """Keep OpenCV from printing what the error says."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def named_frames(reader: VideoReader, stem: str) -> Iterator[tuple[Frame, str]]:
    """Give frames with names that sort in the order of the frames."""
    for index, frame in enumerate(reader):
        yield frame, f'{stem}_{index:06d}'


class VideoWriter:
    """Writes a video as H.264 in an mp4 file, which appears complete or not at all.

    An odd width or height grows by one pixel, which repeats the border, since the codec halves the
    resolution of the colours.

    Args:
        path: File that ends in .mp4.
        fps: Frames a second, for the duration of the last frame.

    Raises:
        InputError: If the path has another suffix; on entering, if it cannot be written; on
            leaving, if no frame was written or the disk is full.
        ValueError: If the frame rate is not positive.
    """

    def __init__(self, path: str | os.PathLike, fps: float) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != '.mp4':
            raise InputError(f'{self.path}: a video is written as .mp4')
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f'fps must be positive, got {fps}')
        self.fps = fps
        self._stream: Any = None
        self._shape: tuple[int, ...] = ()
        self._tick = -1

    def __enter__(self) -> 'VideoWriter':
        with ExitStack() as stack:
            unfinished = stack.enter_context(atomic_path(self.path))
            unfinished.touch()  # FFmpeg opens it with the first frame
            # absolute: FFmpeg takes what stands before a colon for a protocol
            self._container: Any = av.open(
                *(os.path.abspath(unfinished), 'w'), format='mp4', options={'movflags': 'faststart'}
            )
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

    def write(self, pixels: np.ndarray, time: float) -> None:
        """Append a frame, (H, W, 3) uint8 RGB as large as the first, shown ``time`` [s] after it.

        Raises:
            InputError: If the codec is missing.
            ValueError: If the frame has another shape or number type.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ValueError(
                f'expected a frame (H, W, 3) of uint8, got {pixels.shape} {pixels.dtype}'
            )
        if self._shape and pixels.shape != self._shape:
            raise ValueError(f'expected a frame {self._shape}, got {pixels.shape}')
        height, width = pixels.shape[:2]
        if self._stream is None:
            self._shape = pixels.shape
            self._stream = self._open(width + width % 2, height + height % 2)
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode='edge')
        frame = av.VideoFrame.from_ndarray(even, format='rgb24')
        self._tick = max(self._tick + 1, round(time * TICKS))
        frame.pts, frame.time_base = self._tick, Fraction(1, TICKS)
        self._container.mux(self._stream.encode(frame))

    def _open(self, width: int, height: int) -> Any:
        rate = Fraction(self.fps).limit_denominator(1001)
        try:
            stream = self._container.add_stream(
                CODEC, rate, options={'crf': '20', 'colorspace': 'smpte170m', 'color_range': 'tv'}
            )
        except av.codec.codec.UnknownCodecError as error:
            raise InputError(
                f'{self.path} cannot be written: this PyAV has no encoder {CODEC}; that of '
                'pip install av has'
            ) from error
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        stream.codec_context.time_base = Fraction(1, TICKS)
        return stream

    def _finish(self, kind: type[BaseException] | None, *raised: object) -> None:
        try:
            if kind is None and self._stream is None:
                raise InputError(f'{self.path}: no frame to write')
            if kind is None:
                self._container.mux(self._stream.encode())
        finally:
            self._container.close()
