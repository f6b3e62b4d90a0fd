"""From a video or camera to videos of what a model says about its frames."""

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
from mmdpt.inference.steady import SceneCuts
from mmdpt.inference.video import VideoReader, camera_index, named_frames
from mmdpt.inference.video_writer import VideoWriter, takes_sound
from mmdpt.visualization.depth import colour_range
from mmdpt.visualization.tiling import beside

from .outputs import PICTURES, Outputs, coloured
from .run_report import RunReport

Predict = Callable[[Sequence[np.ndarray], Sequence[str]], list[Prediction]]
"""Predicts images, (H, W, 3) uint8 RGB, given with their names."""
MOMENTUM = 0.9
"""Share of the range of colours that is kept from frame to frame."""


def predict_video(
    reader: VideoReader,
    source: str,
    run: Predict,
    outputs: Outputs,
    report: RunReport,
    batch_size: int,
    progress: Report,
) -> None:
    """Write a video of each kind of picture, and the numbers of each frame.

    The range of the colours follows the frames slowly, see ``RunningRange``, until a cut. Every
    frame keeps its time. Ctrl-C ends the video of a camera; it leaves no video of a file.
    ``source`` is the path, or the index of a camera; ``batch_size`` frames are predicted at a time.

    Raises:
        InputError: If a frame cannot be predicted, or a file not be written.
    """
    began = time.perf_counter()
    is_camera = camera_index(source) is not None
    name = f'camera-{source}' if is_camera else Path(source).stem
    frames = named_frames(reader, name)
    shown, is_cut = RunningRange(), SceneCuts()
    sound_of = source if takes_sound(reader.sound) else None
    if reader.sound and sound_of is None:
        print(
            f'{source}: mp4 does not take {reader.sound} sound, so the videos have none',
            file=sys.stderr,
        )
    with ExitStack() as stack:
        videos: dict[str, VideoWriter] = {}
        interrupted = stack.enter_context(_until_interrupted()) if is_camera else Event()
        while not interrupted.is_set() and (batch := list(islice(frames, batch_size))):
            batch_began = time.perf_counter()
            found, names = zip(*batch, strict=True)
            predictions = run([frame.pixels for frame in found], names)
            share = (time.perf_counter() - batch_began) / len(batch)
            for frame, prediction in zip(found, predictions, strict=True):
                frame_began = time.perf_counter()
                if is_cut(frame.pixels):
                    shown = RunningRange()
                pictures = _pictures(prediction, shown, outputs.kinds)
                for what, picture in pictures.items():
                    if what not in videos:
                        path = outputs.path(name, f'{what}.mp4')
                        writer = VideoWriter(path, reader.fps, sound_of, reader.start)
                        videos[what] = stack.enter_context(writer)
                    videos[what].write(picture, frame.time)
                files = outputs.write(prediction, pictures=False)
                seconds = share + time.perf_counter() - frame_began
                report.done(prediction, source, files, seconds)
                progress(report.num_done, reader.num_frames)
    paths = [video.path for video in videos.values()]
    report.video_written(name, source, paths, time.perf_counter() - began)


class RunningRange:
    """Follows the range of a video's maps slowly, so that the colours do not flicker."""

    def __init__(self) -> None:
        self._range: np.ndarray | None = None

    def update(self, values: np.ndarray) -> tuple[float, float]:
        """Move the range towards the ``colour_range`` of a map's finite values; give its ends.

        They stay as they were, at first 0 and 1, if no value is finite.
        """
        if np.isfinite(values).any():
            now = np.array(colour_range(values.astype(np.float64)))
            before = now if self._range is None else self._range
            self._range = MOMENTUM * before + (1 - MOMENTUM) * now
        low, high = (0.0, 1.0) if self._range is None else self._range
        return float(low), float(high)


def _pictures(
    prediction: Prediction, shown: RunningRange, kinds: Collection[str]
) -> dict[str, np.ndarray]:
    """Draw a frame's pictures; their keys are the endings of the files' names."""
    if not set(PICTURES) & set(kinds):
        return {}
    ends = () if prediction.map is None else shown.update(prediction.map)
    drawn = {what: draw() for what, draw in coloured(prediction, *ends)}
    pictures = dict(drawn) if 'colour' in kinds else {}
    if 'side-by-side' in kinds:
        pictures['side-by-side'] = beside([prediction.image, *drawn.values()])
    return pictures


@contextmanager
def _until_interrupted() -> Iterator[Event]:
    """Give an event that the first Ctrl-C sets, so that the video ends after a complete frame."""
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
