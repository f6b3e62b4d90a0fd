"""Videos written as H.264, with the sound of the video that they come from."""

import io
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from mmdpt.errors import InputError
from mmdpt.files.atomic import atomic_path

from .video import open_video

CODEC = 'libx264'
TICKS = 90_000
"""Ticks a second of written times, as in MPEG."""


def takes_sound(codec: str) -> bool:
    """Whether a video that is written can hold the sound of a codec as it is."""
    with av.open(io.BytesIO(), 'w', format='mp4') as container:
        return codec in container.supported_codecs


class VideoWriter:
    """Writes a video as H.264 in an mp4 file, which appears complete or not at all.

    An odd width or height grows by one pixel, which repeats the border, since the codec halves the
    resolution of the colours.

    Args:
        path: File that ends in .mp4.
        fps: Frames a second, for the duration of the last frame.
        sound_of: Video file whose sound is copied, packet by packet; None: there is none.
        start: Time in that file of the first frame [s].

    Raises:
        InputError: If the path has another suffix; on entering, if it cannot be written or there is
            no such sound; on leaving, if no frame was written or the disk is full.
        ValueError: If the frame rate is not positive.
    """

    def __init__(
        self, path: str | os.PathLike, fps: float, sound_of: str | None = None, start: float = 0.0
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != '.mp4':
            raise InputError(f'{self.path}: a video is written as .mp4')
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f'fps must be positive, got {fps}')
        self.fps, self.sound_of, self.start = fps, sound_of, start
        self._stream: Any = None
        self._shape: tuple[int, ...] = ()
        self._tick = -1
        self._sound: Any = None
        self._copy: Any = None
        self._packets: Iterator[tuple[float, av.Packet]] = iter(())

    def __enter__(self) -> 'VideoWriter':
        with ExitStack() as stack:
            unfinished = stack.enter_context(atomic_path(self.path))
            unfinished.touch()  # FFmpeg opens it with the first frame
            # absolute: FFmpeg takes what stands before a colon for a protocol
            self._container: Any = av.open(
                *(os.path.abspath(unfinished), 'w'), format='mp4', options={'movflags': 'faststart'}
            )
            if self.sound_of is not None:
                source = open_video(self.sound_of, stack)
                self._sound = source.streams.best('audio')
                self._packets = _timed(source.demux(self._sound), self.start)
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
        self._copy_sound(time)

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
        if self._sound is not None:
            self._copy = self._container.add_stream_from_template(self._sound)
        return stream

    def _copy_sound(self, until: float) -> None:
        """Copy the packets that begin before a time [s] and the next one."""
        for seconds, packet in self._packets:
            packet.stream = self._copy
            with suppress(av.error.InvalidDataError, av.error.ArgumentError):  # damaged
                self._container.mux(packet)
            if seconds >= until:
                return

    def _finish(self, kind: type[BaseException] | None, *raised: object) -> None:
        try:
            if kind is None and self._stream is None:
                raise InputError(f'{self.path}: no frame to write')
            if kind is None:
                self._container.mux(self._stream.encode())
                self._copy_sound(math.inf)
        finally:
            self._container.close()


def _timed(packets: Iterator[av.Packet], start: float) -> Iterator[tuple[float, av.Packet]]:
    """Give packets with their times [s] after a start, which becomes their zero."""
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        if packet.dts is None or packet.is_corrupt:
            continue
        shift = round(start / packet.time_base)
        packet.dts -= shift
        packet.pts = packet.dts if packet.pts is None else packet.pts - shift
        yield float(packet.dts * packet.time_base), packet
