"""Videos frame by frame, each frame with its time.

Files are read by PyAV (FFmpeg). Cameras are read by OpenCV, which knows the devices of every
operating system by one index.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from mmdpt.errors import InputError
from mmdpt.files.image_checks import check_pixels, greatest_pixels
from mmdpt.files.paths import check_file

VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')
USUAL_FPS = 25.0
"""Frames a second where a camera or a file does not say."""
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


def open_video(source: str | Path | int, stack: ExitStack) -> Any:
    """Open a video file with PyAV, until the stack is closed.

    Raises:
        InputError: If the file is missing or cannot be opened.
    """
    check_file(str(source), 'video')
    try:
        # an open file in place of its name, which FFmpeg could take for an address
        file = stack.enter_context(open(source, 'rb'))  # noqa: SIM115
        return stack.enter_context(av.open(file, options=_ONE_FILE_ALONE))
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f'video {source} cannot be opened: it is damaged, or none of AVI, ASF, Matroska, '
            f'MP4, MPEG, QuickTime and WebM ({error.strerror})'
        ) from error


class VideoReader:
    """Gives the frames of a video file or camera once.

    Packets of a file that cannot be decoded are left out, as players do.

    Args:
        source: See ``is_video``.

    Attributes:
        fps: Mean number of frames a second; ``USUAL_FPS`` if the source does not say.
        size: Width and height of a frame [px].
        num_frames: Number of frames that the file's header says; None for a camera.
        start: Time of the first frame on the clock of the source [s].
        sound: Name of the codec of a file's sound; '' if there is none, as of a camera.

    Raises:
        InputError: If the source is missing, cannot be opened, has no frame, or has frames of more
            pixels than ``mmdpt.files.image_checks`` allows.
    """

    def __init__(self, source: str | Path | int) -> None:
        self.num_frames: int | None = None
        self.fps, self.sound = 0.0, ''
        camera = camera_index(source)
        self._what = f'video {source}' if camera is None else f'camera {camera}'
        with ExitStack() as stack:
            frames = self._of_file(source, stack) if camera is None else _of_camera(camera, stack)
            self._first = next(frames, None)
            if self._first is None:
                raise InputError(f'{self._what} has no frame that can be read')
            self._frames, self.start = frames, self._first.time
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
        for pixels, seconds in chain(filter(None, [first]), self._frames):
            yield Frame(pixels, seconds - self.start)

    def _of_file(self, source: str | Path | int, stack: ExitStack) -> Iterator[Frame]:
        container = open_video(source, stack)
        stream = container.streams.best('video')
        if stream is None:
            raise InputError(f'{self._what} has no frame that can be read')
        check_pixels(stream.codec_context.height, stream.codec_context.width, self._what)
        # for later frames, which may be larger; the decoder counts padding too
        stream.codec_context.options = dict(max_pixels=str(2 * greatest_pixels() + (1 << 16)))
        stream.thread_type = 'AUTO'
        self.fps = float(stream.average_rate or stream.guessed_rate or 0)
        self.num_frames = stream.frames or None
        audio = container.streams.best('audio')
        self.sound = '' if audio is None else getattr(audio.codec_context, 'name', 'unknown')
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
