"""From a video or camera to videos of what a model says about its frames."""

import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from threading import Event

import numpy as np

from mmdpt.commands.progress import Report
from mmdpt.inference.prediction import Prediction
from mmdpt.inference.video import RunningRange, VideoReader, VideoWriter, named_frames
from mmdpt.visualization.layout import beside

from .outputs import PICTURES, Outputs, coloured
from .report import RunReport

Predict = Callable[[Sequence[np.ndarray], Sequence[str]], list[Prediction]]
"""From images, (H, W, 3) uint8 RGB, and their names."""


def predict_video(
    reader: VideoReader,
    source: str,
    run: Predict,
    outputs: Outputs,
    report: RunReport,
    batch_size: int,
    progress: Report,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Write a video of each kind of picture, and the numbers of each frame.

    The ends of the colours follow the frames slowly, see ``RunningRange``. Of a camera, frames are
    repeated so that the video plays as fast as the world went, and Ctrl-C ends it; of a file,
    Ctrl-C leaves no video.

    Args:
        reader: Gives the frames.
        source: Path, or index of a camera.
        run: Predicts frames by name.
        outputs: What is written, and where.
        report: What is told of each frame.
        batch_size: Frames at a time.
        progress: Called with the frames that are done and, of a file, their number.
        clock: Time [s], of a camera.

    Raises:
        InputError: If a frame cannot be predicted, or a file not be written.
    """
    began = time.perf_counter()
    is_camera = not os.path.exists(source)
    name = f'camera-{source}' if is_camera else Path(source).stem
    frames = named_frames(reader, name)
    shown = RunningRange()
    pace = _Pace(reader.fps, clock) if is_camera else None
    with ExitStack() as stack:
        videos: dict[str, VideoWriter] = {}
        interrupted = stack.enter_context(_until_interrupted()) if is_camera else Event()
        while not interrupted.is_set() and (batch := list(islice(frames, batch_size))):
            batch_began = time.perf_counter()
            predictions = run(*zip(*batch, strict=True))
            share = (time.perf_counter() - batch_began) / len(batch)
            for prediction in predictions:
                frame_began = time.perf_counter()
                pictures = _pictures(prediction, shown, outputs.kinds)
                for what in pictures:
                    if what not in videos:
                        writer = VideoWriter(outputs.path(name, f'{what}.mp4'), reader.fps)
                        videos[what] = stack.enter_context(writer)
                for _ in range(pace.repeats() if pace else 1):
                    for what, picture in pictures.items():
                        videos[what].write(picture)
                files = outputs.write_numbers(prediction)
                seconds = share + time.perf_counter() - frame_began
                report.done(prediction, source, files, seconds)
                progress(report.num_done, reader.num_frames)
    paths = [video.path for video in videos.values()]
    report.video_written(name, source, paths, time.perf_counter() - began)


def _pictures(
    prediction: Prediction, shown: RunningRange, kinds: Collection[str]
) -> dict[str, np.ndarray]:
    """Draw a frame's pictures, by the ends of their files' names."""
    if not set(PICTURES) & set(kinds):
        return {}
    ends = () if prediction.map is None else shown.update(prediction.map)
    drawn = {what: draw() for what, draw in coloured(prediction, *ends)}
    pictures = dict(drawn) if 'colour' in kinds else {}
    if 'side-by-side' in kinds:
        pictures['side-by-side'] = beside([prediction.image, *drawn.values()])
    return pictures


class _Pace:
    """Says how often each frame of a camera is written for the video to be as long as it took."""

    def __init__(self, fps: float, clock: Callable[[], float]) -> None:
        self._fps = fps
        self._clock = clock
        self._began = clock()
        self._written = 0

    def repeats(self) -> int:
        due = round((self._clock() - self._began) * self._fps)
        number = max(1, due - self._written)
        self._written += number
        return number


@contextmanager
def _until_interrupted() -> Iterator[Event]:
    """Give what the first Ctrl-C sets, instead of ending a video between two of its bytes."""
    interrupted = Event()
    before = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    print('Ctrl-C ends the video', file=sys.stderr)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
