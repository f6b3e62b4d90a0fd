"""A video is read frame by frame, written whole or not at all, and coloured without flicker."""

import resource
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdpt.errors import InputError
from mmdpt.inference import video
from mmdpt.inference.video import RunningRange, VideoReader, VideoWriter, is_video

COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200))


def frame_of(colour, height=48, width=64):
    return np.full((height, width, 3), colour, np.uint8)


def write(path, frames, fps=10):
    with VideoWriter(path, fps) as writer:
        for frame in frames:
            writer.write(frame)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


# --- what is a video -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('source', 'expected'),
    [
        ('clip.mp4', True),
        (Path('clip.MOV'), True),
        (0, True),
        ('12', True),
        ('digits', False),
        ('34', False),  # a file of that name
        (-1, False),
        (True, False),
        (1.0, False),
        ('²', False),
        ('image.png', False),
        ('folder.mp4', False),
        ('https://host.test/clip.mp4', False),
        (None, False),
    ],
)
def test_a_video_is_a_suffix_or_the_index_of_a_camera(source, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('34').touch()
    Path('folder.mp4').mkdir()
    assert is_video(source) is expected


# --- reading and writing -------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / 'clip.mp4'
    write(path, [frame_of(colour) for colour in COLOURS], fps=12.5)
    with VideoReader(path) as reader:
        assert (reader.fps, reader.size, reader.num_frames) == (12.5, (64, 48), 3)
        frames = list(reader)
    assert len(frames) == 3
    for frame, colour in zip(frames, COLOURS, strict=True):
        assert frame.dtype == np.uint8 and frame.shape == (48, 64, 3)
        assert np.abs(frame.astype(int) - colour).max() <= 6  # RGB; MPEG-4 loses a little
    assert left_in(tmp_path) == ['clip.mp4']


def test_every_frame_is_given_once(tmp_path):
    write(tmp_path / 'clip.mp4', [frame_of(colour) for colour in COLOURS])
    with VideoReader(str(tmp_path / 'clip.mp4')) as reader:
        first = next(iter(reader))
        assert np.abs(first.astype(int) - COLOURS[0]).max() <= 6
        assert len(list(reader)) == 2


@pytest.mark.parametrize('size', [(47, 64), (48, 63), (47, 63), (1, 1)])
def test_an_odd_size_repeats_its_border(size, tmp_path):
    height, width = size
    frame = frame_of(COLOURS[0], height, width)
    frame[-3:, -3:] = COLOURS[1]
    write(tmp_path / 'odd.mp4', [frame])
    with VideoReader(tmp_path / 'odd.mp4') as reader:
        (read,) = reader
    assert read.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(read[-1, -1].astype(int) - COLOURS[1]).max() < 40  # neither black nor red


def test_a_photograph_survives(data_root, tmp_path):
    photograph = cv2.imread(str(next((data_root / 'demo_images').glob('*.jpg'))))
    small = cv2.resize(photograph, (160, 96), interpolation=cv2.INTER_AREA)[..., ::-1]
    write(tmp_path / 'photograph.mp4', [small, small])
    with VideoReader(tmp_path / 'photograph.mp4') as reader:
        for frame in reader:
            assert np.abs(frame.astype(int) - small).mean() < 8


def test_an_error_leaves_no_file(tmp_path):
    with (
        pytest.raises(KeyError, match='stop'),
        VideoWriter(tmp_path / 'clip.mp4', 10) as writer,
    ):
        writer.write(frame_of(COLOURS[0]))
        raise KeyError('stop')
    assert left_in(tmp_path) == []


def test_an_error_leaves_an_older_file_as_it_was(tmp_path):
    path = tmp_path / 'clip.mp4'
    path.write_bytes(b'older')
    with pytest.raises(KeyError), VideoWriter(path, 10) as writer:
        writer.write(frame_of(COLOURS[0]))
        raise KeyError
    assert (left_in(tmp_path), path.read_bytes()) == (['clip.mp4'], b'older')


def test_the_file_has_its_name_only_at_the_end(tmp_path):
    path = tmp_path / 'clip.mp4'
    with VideoWriter(path, 10) as writer:
        writer.write(frame_of(COLOURS[0]))
        assert not path.exists()
    assert path.exists()


def test_a_video_without_frames_is_not_written(tmp_path):
    with pytest.raises(InputError, match=r'clip\.mp4: no frame to write'):
        write(tmp_path / 'clip.mp4', [])
    assert left_in(tmp_path) == []


def test_a_full_disk_is_noticed(tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 256, (30, 240, 320, 3), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # stands in for the disk's end
    try:
        with pytest.raises(InputError, match=r'clip\.mp4: only 0 of 30 frames could be written'):
            write(tmp_path / 'clip.mp4', noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert 'Failed to write' not in capfd.readouterr().err  # once for each frame
    assert left_in(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / 'nowhere' / 'clip.mp4'
    with pytest.raises(InputError, match=rf'cannot write {path}: No such file or directory'):
        write(path, [frame_of(COLOURS[0])])


def test_a_missing_codec_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(video, 'CODEC', 'none')
    with pytest.raises(InputError, match=r'clip\.mp4 cannot be written: .* no encoder none'):
        write(tmp_path / 'clip.mp4', [frame_of(COLOURS[0])])
    assert left_in(tmp_path) == []


def test_a_video_is_written_as_mp4(tmp_path):
    with pytest.raises(InputError, match=r'clip\.avi: a video is written as \.mp4'):
        VideoWriter(tmp_path / 'clip.avi', 10)


@pytest.mark.parametrize('fps', [0, -1, float('nan'), float('inf')])
def test_the_frame_rate_is_positive(fps, tmp_path):
    with pytest.raises(ValueError, match='fps must be positive, got'):
        VideoWriter(tmp_path / 'clip.mp4', fps)


@pytest.mark.parametrize(
    ('frame', 'message'),
    [
        (np.zeros((48, 64, 3), np.float32), r'of uint8, got \(48, 64, 3\) float32'),
        (np.zeros((48, 64), np.uint8), r'got \(48, 64\) uint8'),
        (np.zeros((0, 64, 3), np.uint8), r'got \(0, 64, 3\) uint8'),
        (np.zeros((48, 64, 4), np.uint8), r'got \(48, 64, 4\) uint8'),
        (np.zeros((48, 65, 3), np.uint8), r'expected a frame \(48, 64, 3\), got \(48, 65, 3\)'),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(frame, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / 'clip.mp4', [frame_of(COLOURS[0]), frame])
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('gone.mp4', None, r'there is no video .*gone\.mp4'),
        ('empty.mp4', b'', r'video .*empty\.mp4 is of no kind that is read'),
        ('text.mp4', b'no video' * 50, r'video .*text\.mp4 is of no kind that is read'),
    ],
)
def test_a_file_that_is_no_video_is_named(name, content, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        VideoReader(tmp_path / name)


def test_a_video_cut_short_is_named(tmp_path):
    path = tmp_path / 'clip.mp4'
    write(path, [frame_of(colour) for colour in COLOURS])
    path.write_bytes(path.read_bytes()[:-400])  # the index is at the end
    with pytest.raises(InputError, match=r'clip\.mp4 cannot be opened'):
        VideoReader(path)


# --- cameras -------------------------------------------------------------------------------------


class Camera:
    """Stands in for cv2.VideoCapture: two frames, and nothing known about them."""

    opened = []

    def __init__(self, index):
        self.opened.append(index)
        self.frames = [frame_of((1, 2, 3)), frame_of((4, 5, 6))]
        self.released = False

    def isOpened(self):
        return True

    def read(self):
        return (True, self.frames.pop(0)) if self.frames else (False, None)

    def get(self, what):
        return -1.0

    def release(self):
        self.released = True


@pytest.mark.parametrize('source', [3, '3'])
def test_a_camera_is_read_by_its_index(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cv2, 'VideoCapture', Camera)
    monkeypatch.setattr(Camera, 'opened', [])
    with VideoReader(source) as reader:
        assert Camera.opened == [3]
        assert (reader.fps, reader.size, reader.num_frames) == (25, (64, 48), None)
        np.testing.assert_array_equal(list(reader), [frame_of((3, 2, 1)), frame_of((6, 5, 4))])
        capture = reader._capture
        assert not capture.released
    assert capture.released


def test_a_camera_without_a_frame_is_named(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', Camera)
    monkeypatch.setattr(Camera, 'read', lambda camera: (False, None))
    with pytest.raises(InputError, match='camera 3 has no frame that can be read'):
        VideoReader(3)


def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(InputError, match='camera 4242 cannot be opened'):
        VideoReader(4242)


# --- the range of the colours --------------------------------------------------------------------


def test_the_range_of_the_first_frame_is_its_percentiles():
    assert RunningRange().update(np.arange(101.0)) == pytest.approx((2, 98))


def test_the_range_follows_slowly():
    running = RunningRange(momentum=0.75)
    running.update(np.arange(101.0))
    assert running.update(np.arange(101.0) + 40) == pytest.approx((12, 108))  # a quarter of 40
    assert running.update(np.arange(101.0) + 40) == pytest.approx((19.5, 115.5))  # and of 30


def test_what_is_not_finite_does_not_count():
    values = np.append(np.arange(101.0), [np.nan, np.inf, -np.inf])
    assert RunningRange().update(values) == pytest.approx((2, 98))


def test_a_frame_without_finite_values_changes_nothing():
    running = RunningRange()
    assert running.update(np.full(3, np.nan)) == (0, 1)
    running.update(np.arange(101.0))
    assert running.update(np.full(3, np.nan)) == pytest.approx((2, 98))
    assert running.update(np.arange(101.0)) == pytest.approx((2, 98))


@pytest.mark.parametrize('momentum', [-0.1, 1, float('nan')])
def test_a_momentum_outside_is_refused(momentum):
    with pytest.raises(ValueError, match=r'momentum must be in \[0, 1\), got'):
        RunningRange(momentum)
