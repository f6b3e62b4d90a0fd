"""A video becomes videos without flicker, of all frames or not there; a camera's ends by Ctrl-C."""

import json
import os
import signal
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_files import packets_of_sound, write_clip

from mmdpt.commands.prediction import video_run
from mmdpt.commands.prediction.outputs import Outputs
from mmdpt.commands.prediction.run import predict
from mmdpt.commands.prediction.run_report import RunReport
from mmdpt.commands.prediction.video_run import RunningRange, predict_video
from mmdpt.errors import InputError
from mmdpt.inference import focal
from mmdpt.inference.prediction import Prediction
from mmdpt.inference.video import Frame, VideoReader
from mmdpt.inference.video_writer import VideoWriter

RAMP = np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
GREYS = (40, 80, 120, 160, 200)
TIMES = (0, 0.1, 0.2, 0.5, 0.6)


def relative(images, names):
    """A ramp up to the grey of each frame, hence another range for each."""
    maps = (RAMP * np.float32(image.mean()) for image in images)
    return [Prediction(*each, 'relative') for each in zip(images, names, maps, strict=True)]


def labels(images, names):
    classes = dict(classes=('wall', 'floor'), palette=((200, 0, 0), (0, 0, 200)))
    floor = np.ones((48, 64), np.uint8)
    return [Prediction(*each, labels=floor, **classes) for each in zip(images, names, strict=True)]


def load():
    head = SimpleNamespace(output='relative', canonical_focal=None)
    model = dict(depth_head=head, camera=focal.Camera(), gives_normals=False)
    return SimpleNamespace(**model, predict_images=relative)


def write(path, greys, times):
    with VideoWriter(path, 10) as writer:
        for grey, time in zip(greys, times, strict=True):
            writer.write(np.full((48, 64, 3), grey, np.uint8), time)
    return str(path)


@pytest.fixture
def clip(tmp_path):
    return write(tmp_path / 'clip.mp4', GREYS, TIMES)


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out'


class Camera:
    """Gives a frame every half second; before the fourth, does something."""

    fps, num_frames, sound, start = 10.0, None, '', 0.0

    def __init__(self, before):
        self.before = before

    def __iter__(self):
        for index in range(1000):
            if index == 3:
                self.before()
            yield Frame(np.full((48, 64, 3), index, np.uint8), index / 2)


@pytest.fixture
def recorded(monkeypatch):
    """Frames by the name of the video that they were written to."""
    frames = {}

    class Writer(VideoWriter):
        def write(self, pixels, time):
            frames.setdefault(self.path.name, []).append(pixels)
            super().write(pixels, time)

    monkeypatch.setattr(video_run, 'VideoWriter', Writer)
    return frames


def run(source, out, predict_frames=relative, kinds=('colour',), batch_size=1, camera=None):
    report, progress = RunReport(out), []
    out.mkdir(exist_ok=True)
    with nullcontext(camera) if camera else VideoReader(source) as reader:
        predict_video(
            *(reader, source, predict_frames, Outputs(out, kinds), report, batch_size),
            progress=lambda *numbers: progress.append(numbers),
        )
    return report, progress


@pytest.mark.parametrize('batch_size', [1, 2, 9])
def test_video_of_every_kind_of_picture_and_numbers_of_every_frame(clip, out, batch_size):
    kinds = ('colour', 'side-by-side', 'npy')
    report, progress = run(clip, out, kinds=kinds, batch_size=batch_size)
    numbers = [f'clip_{index:06d}_relative.npy' for index in range(5)]
    assert sorted(os.listdir(out)) == [*numbers, 'clip_colour.mp4', 'clip_side-by-side.mp4']
    for name, width in (('clip_colour.mp4', 64), ('clip_side-by-side.mp4', 64 + 4 + 64)):
        with VideoReader(out / name) as video:
            assert video.size == (width, 48)
            assert [frame.time for frame in video] == pytest.approx(TIMES)
    peaks = [np.load(out / name).max() for name in numbers]
    np.testing.assert_allclose(peaks, GREYS, atol=3)  # the codec's
    assert (report.num_done, report.num_files) == (5, 7)
    assert progress == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_every_video_gets_the_sound_that_mp4_takes(tmp_path, out, capsys):
    kinds = ('colour', 'side-by-side')
    for codec in ('aac', 'pcm_u8'):
        source = str(write_clip(tmp_path / f'{codec}.avi', codec))
        run(source, out, kinds=kinds)
        for kind in kinds:
            copied, _ = packets_of_sound(out / f'{codec}_{kind}.mp4')
            assert copied == (packets_of_sound(source)[0] if codec == 'aac' else [])
    said = f'{source}: mp4 does not take pcm_u8 sound, so the videos have none'
    assert capsys.readouterr().err.splitlines() == [said]


def test_colours_follow_the_running_range(clip, out, recorded):
    """The same value keeps nearly its colour from frame to frame, though the ranges differ."""
    run(clip, out)
    with VideoReader(clip) as reader:
        found = relative([frame.pixels for frame in reader], [''] * 5)
    shown = RunningRange()
    for prediction, frame in zip(found, recorded['clip_colour.mp4'], strict=True):
        low, high = shown.update(prediction.map)
        np.testing.assert_array_equal(frame, prediction.colour_map(low, high))
    assert (found[4].colour_map() != recorded['clip_colour.mp4'][4]).any()


def test_labels_lie_over_the_frames(clip, tmp_path, out, recorded):
    run(clip, out, labels, kinds=('colour', 'side-by-side'))
    report, _ = run(clip, tmp_path / 'numbers', kinds=('pfm',))  # they alone need no video
    assert report.num_files == len(os.listdir(tmp_path / 'numbers')) == 5
    assert set(recorded) == {'clip_overlay.mp4', 'clip_side-by-side.mp4'}
    first = recorded['clip_overlay.mp4'][0]
    expected = 0.3 * 40 + 0.7 * np.array((0, 0, 200))
    np.testing.assert_allclose(first[0, 0], expected, atol=2)
    np.testing.assert_array_equal(recorded['clip_side-by-side.mp4'][0][:, -64:], first)


@pytest.mark.parametrize('error', [InputError('frame 3'), KeyboardInterrupt()])
def test_video_that_ends_early_is_not_there(clip, out, error):
    def fails(images, names):
        if names[0].endswith('3'):
            raise error
        return relative(images, names)

    with pytest.raises(type(error)):
        run(clip, out, fails)
    assert os.listdir(out) == []


def test_lines_of_json_for_the_frames_and_the_video(clip, out, capsys):
    outputs = Outputs(out, ('colour', 'npy'))
    assert predict([clip], outputs, load, batch_size=2, as_json=True) == 0
    printed = capsys.readouterr()
    *frames, video = map(json.loads, printed.out.splitlines())
    assert [line['name'] for line in frames] == [f'clip_{index:06d}' for index in range(5)]
    assert frames[4]['files'] == [str(out / 'clip_000004_relative.npy')]
    assert video.pop('seconds') >= 0
    files = [str(out / 'clip_colour.mp4')]
    assert video == dict(source=clip, name='clip', frames=5, files=files)
    assert f'5 frames: 6 files in {out}; relative disparity' in printed.err


def test_numbers_and_colours_follow_the_frames_slowly_until_a_cut(tmp_path, out, recorded):
    """The frames' greys are the maps' scales; the last frame's is of another scene."""
    path = write(tmp_path / 'clip.mp4', (40, 80, 60, 255), (0, 0.1, 0.2, 0.3))
    outputs = Outputs(out, ('colour', 'npy'))
    assert predict([path], outputs, load, batch_size=3, steady=True) == 0
    maps = [np.load(out / f'clip_{index:06d}_relative.npy') for index in range(4)]
    peaks = np.max(maps, axis=(1, 2))
    np.testing.assert_allclose(peaks, [40, 44, 45.6, 255], atol=4)  # the codec's
    image = np.zeros((48, 64, 3), np.uint8)
    own = [Prediction(image, '', values, 'relative').colour_map() for values in maps]
    same = [(a == b).all() for a, b in zip(own, recorded['clip_colour.mp4'], strict=True)]
    assert same == [True, False, False, True]
    with pytest.raises(InputError, match=r'--steady is for a video or camera, got .*a\.png'):
        predict([str(tmp_path / 'a.png')], Outputs(out, ('npy',)), load, steady=True)


def test_the_range_starts_with_percentiles_and_follows_slowly():
    running = RunningRange()
    assert running.update(np.full(3, np.nan)) == (0, 1)
    found = running.update(np.append(np.arange(101.0), [np.nan, np.inf, -np.inf]))
    assert found == pytest.approx((2, 98))
    assert running.update(np.arange(101.0) + 40) == pytest.approx((6, 102))  # a tenth of 40
    assert running.update(np.full(3, np.nan)) == pytest.approx((6, 102))
    assert running.update(np.arange(101.0) + 40) == pytest.approx((9.6, 105.6))  # and of 36


def interrupt(times=1):
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)  # of this thread, before the next statement


def test_ctrl_c_ends_the_video_of_a_camera_cleanly(out, capsys):
    before = signal.getsignal(signal.SIGINT)
    report, progress = run('0', out, camera=Camera(interrupt))
    with VideoReader(out / 'camera-0_colour.mp4') as video:
        assert [frame.time for frame in video] == [0, 0.5, 1, 1.5]  # as long as it took
        assert report.num_done == 4
    assert os.listdir(out) == ['camera-0_colour.mp4']
    assert progress[-1] == (4, None)
    assert signal.getsignal(signal.SIGINT) is before
    assert 'Ctrl-C ends the video' in capsys.readouterr().err


def test_second_ctrl_c_ends_the_tool(out):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
    with pytest.raises(KeyboardInterrupt):
        run('0', out, camera=Camera(lambda: interrupt(2)))
    assert os.listdir(out) == []
