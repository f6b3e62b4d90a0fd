"""A video is read frame by frame with its times, and written as H.264, complete or not at all."""

import os
import resource
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tiny_files import packets_of_sound, write_clip

from mmdpt.errors import InputError
from mmdpt.inference import video, video_writer
from mmdpt.inference.video import VideoReader, is_video
from mmdpt.inference.video_writer import VideoWriter, takes_sound

COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200))


def frame_of(colour, height=48, width=64):
    return np.full((height, width, 3), colour, np.uint8)


def write(path, frames, fps=10.0, times=None, sound_of=None):
    with VideoWriter(path, fps, sound_of) as writer:
        for index, frame in enumerate(frames):
            writer.write(frame, times[index] if times else index / fps)


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / 'clip.mp4'
    write(path, map(frame_of, COLOURS), fps=12.5)
    return path


def test_a_video_is_a_suffix_or_the_index_of_a_camera(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('34').touch()
    Path('folder.mp4').mkdir()
    for source in ('clip.mp4', Path('clip.MOV'), 0, '12'):
        assert is_video(source) is True, source
    names = ('digits', '34', '²', 'image.png', 'folder.mp4', 'https://host.test/clip.mp4')
    for source in (*names, -1, True, 1.0, None):
        assert is_video(source) is False, source


def test_what_is_written_is_read_once_and_browsers_can_play_it(clip):
    with VideoReader(str(clip)) as reader:
        assert (reader.fps, reader.size, reader.num_frames) == (12.5, (64, 48), 3)
        first = next(iter(reader))
        frames = [first, *reader]
        assert list(reader) == []
    assert [frame.time for frame in frames] == pytest.approx([0, 0.08, 0.16])
    for (pixels, _), colour in zip(frames, COLOURS, strict=True):
        assert pixels.dtype == np.uint8 and pixels.shape == (48, 64, 3)
        assert np.abs(pixels.astype(int) - colour).max() <= 6  # RGB; H.264 loses a little
    assert os.listdir(clip.parent) == ['clip.mp4']
    # browsers play H.264 with colours of half the resolution, and the index before the frames
    with av.open(clip) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ('h264', 'yuv420p')
    data = clip.read_bytes()
    assert 0 < data.index(b'moov') < data.index(b'mdat')


def test_every_frame_keeps_its_time_and_those_of_one_time_their_order(tmp_path):
    times = [0, 0.1, 0.5, 3, 3, 3]
    write(tmp_path / 'a.mp4', map(frame_of, (*COLOURS, *COLOURS)), times=times)
    with VideoReader(tmp_path / 'a.mp4') as reader:
        frames = list(reader)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-4)
    assert [int(frame.pixels[0, 0].argmax()) for frame in frames] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ('name', 'codec', 'rate', 'first'),
    [
        ('a.mp4', 'aac', 44_100, 1.0),
        ('a.mkv', 'aac', 44_100, 1.5),  # later than the first frame
        ('b.mkv', 'libopus', 48_000, 1.0),
        ('a.avi', 'libmp3lame', 44_100, 1.0),
        ('a.mov', 'pcm_s16le', 44_100, 1.0),
    ],
)
def test_sound_is_copied_packet_by_packet_in_step_with_the_frames(
    name, codec, rate, first, tmp_path
):
    source = write_clip(tmp_path / name, codec, rate, first)
    path = tmp_path / 'copy.mp4'
    with VideoReader(source) as reader, VideoWriter(path, 10, source, reader.start) as writer:
        assert takes_sound(reader.sound)
        for pixels, time in reader:
            writer.write(pixels, time)
    (packets, times), (copied, copied_times) = map(packets_of_sound, (source, path))
    assert len(packets) > 50 and copied == packets
    assert copied_times == pytest.approx(times, abs=0.015)  # half a packet of MP3 in an edit list
    data = path.read_bytes()
    half = data.index(packets[len(packets) // 2])
    assert data.index(packets[0]) < half and data.find(packets[-1]) > half


def test_sound_that_goes_back_in_time_is_left_out(tmp_path, monkeypatch):
    """FFmpeg refuses such packets, which damaged files have."""
    source = write_clip(tmp_path / 'a.avi', 'aac')
    timed = video_writer._timed

    def going_back(packets, start):
        for seconds, packet in timed(packets, start):
            packet.dts = packet.pts = packet.dts if packet.dts < 40 else packet.dts - 20
            yield seconds, packet

    monkeypatch.setattr(video_writer, '_timed', going_back)
    write(tmp_path / 'b.mp4', map(frame_of, COLOURS), sound_of=source)
    with VideoReader(tmp_path / 'b.mp4') as reader:
        assert len(list(reader)) == 3
    packets, copied = (packets_of_sound(path)[0] for path in (source, tmp_path / 'b.mp4'))
    assert len(packets) == 87 and copied == [*packets[:40], *packets[60:]]


@pytest.mark.parametrize(('angle', 'corner'), [(90, (-5, 5)), (-90, (5, -5)), (180, (-5, -5))])
def test_frames_are_upright(tmp_path, angle, corner):
    """OpenCV, which turns them too, has the same pixels."""
    path = tmp_path / 'turned.mp4'
    picture = frame_of((0, 0, 0))
    picture[:24, :32] = (250, 20, 20)
    with av.open(path, 'w') as container:
        stream = container.add_stream('libx264', 10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        stream.set_display_rotation(float(angle))
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    with VideoReader(path) as reader:
        ((pixels, _),) = reader
    assert reader.size == pixels.shape[1::-1] == ((64, 48) if angle == 180 else (48, 64))
    assert pixels[corner][0] > 200 > 100 > pixels.mean(axis=(0, 1))[0]
    expected = cv2.VideoCapture(str(path)).read()[1][..., ::-1]
    np.testing.assert_allclose(pixels.astype(int), expected, atol=3)


@pytest.mark.parametrize('size', [(47, 64), (48, 63), (47, 63), (1, 1)])
def test_an_odd_size_repeats_its_border(size, tmp_path):
    height, width = size
    frame = frame_of(COLOURS[0], height, width)
    frame[-3:, -3:] = COLOURS[1]
    write(tmp_path / 'odd.mp4', [frame])
    with VideoReader(tmp_path / 'odd.mp4') as reader:
        ((read, _),) = reader
    assert read.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(read[-1, -1].astype(int) - COLOURS[1]).max() < 40  # neither black nor red


def test_a_photograph_survives(data_root, tmp_path):
    photograph = cv2.imread(str(next((data_root / 'demo_images').glob('*.jpg'))))
    small = cv2.resize(photograph, (160, 96), interpolation=cv2.INTER_AREA)[..., ::-1]
    write(tmp_path / 'photograph.mp4', [small, small])
    with VideoReader(tmp_path / 'photograph.mp4') as reader:
        for frame in reader:
            assert np.abs(frame.pixels.astype(int) - small).mean() < 8


def test_later_frames_of_another_size_and_damaged_packets_do_no_harm(tmp_path):
    """Three streams of H.264 in one file, the second larger, the third without its first bytes."""
    streams = []
    for size in ((48, 64), (96, 128), (48, 64)):
        path = tmp_path / f'{len(streams)}.h264'
        with av.open(path, 'w') as container:
            stream = container.add_stream('libx264', 10)
            stream.height, stream.width, stream.pix_fmt = *size, 'yuv420p'
            for colour in COLOURS:
                frame = av.VideoFrame.from_ndarray(frame_of(colour, *size))
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        streams.append(path.read_bytes())
    both = tmp_path / 'both.mp4'
    both.write_bytes(streams[0] + streams[1] + streams[2][20:])
    with VideoReader(both) as reader:
        shapes = [frame.pixels.shape for frame in reader]
    assert len(shapes) >= 5 and set(shapes) == {(48, 64, 3)}


@pytest.mark.parametrize('older', [None, b'older'])
def test_an_error_leaves_the_folder_as_it_was(older, tmp_path):
    path = tmp_path / 'clip.mp4'
    if older:
        path.write_bytes(older)
    with pytest.raises(KeyError, match='stop'), VideoWriter(path, 10) as writer:
        writer.write(frame_of(COLOURS[0]), 0)
        assert not path.exists() or path.read_bytes() == older  # until the end
        raise KeyError('stop')
    assert os.listdir(tmp_path) == (['clip.mp4'] if older else [])
    assert not older or path.read_bytes() == older


def test_a_full_disk_is_noticed(tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 256, (30, 240, 320, 3), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # stands in for the disk's end
    try:
        with pytest.raises(InputError, match=r'cannot write .*clip\.mp4: File too large'):
            write(tmp_path / 'clip.mp4', noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capfd.readouterr().err == ''
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_written_is_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r'clip\.avi: a video is written as \.mp4'):
        VideoWriter(tmp_path / 'clip.avi', 10)
    with pytest.raises(InputError, match=r'clip\.mp4: no frame to write'):
        write(tmp_path / 'clip.mp4', [])
    with pytest.raises(InputError, match=r'cannot write .*nowhere/clip\.mp4: No such file'):
        write(tmp_path / 'nowhere' / 'clip.mp4', [frame_of(COLOURS[0])])
    for fps in (0, -1, float('nan'), float('inf')):
        with pytest.raises(ValueError, match='fps must be positive, got'):
            VideoWriter(tmp_path / 'clip.mp4', fps)
    monkeypatch.setattr(video_writer, 'CODEC', 'none')
    with pytest.raises(InputError, match=r'clip\.mp4 cannot be written: .* no encoder none'):
        write(tmp_path / 'clip.mp4', [frame_of(COLOURS[0])])
    assert os.listdir(tmp_path) == []


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
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, r'no video file .*a\.mp4'),
        (lambda data: b'', r'video .*a\.mp4 cannot be opened: it is damaged, or none of AVI'),
        (lambda data: b'no video' * 50, r'video .*a\.mp4 cannot be opened'),
        (lambda data: data[:200], r'video .*a\.mp4 cannot be opened|has no frame'),
        (lambda data: data[: data.index(b'mdat')], r'a\.mp4 has no frame that can be read'),
    ],
)
def test_a_file_that_is_no_video_is_named(clip, content, message):
    path = clip.with_name('a.mp4')
    if content is not None:
        path.write_bytes(content(clip.read_bytes()))
    with pytest.raises(InputError, match=message):
        VideoReader(path)


def test_a_name_like_an_address_is_a_file(clip, monkeypatch):
    """FFmpeg takes what stands before a colon for a protocol."""
    monkeypatch.chdir(clip.parent)
    os.rename(clip, 'concat:a|b.mp4')
    with VideoReader('concat:a|b.mp4') as reader:
        write('http:c.mp4', [frame.pixels for frame in reader])
    assert sorted(os.listdir()) == ['concat:a|b.mp4', 'http:c.mp4']


class Camera:
    """Stands in for cv2.VideoCapture: two frames, and nothing known about them."""

    opened = []

    def __init__(self, index):
        self.opened.append(self)
        self.index, self.released = index, False
        self.frames = [frame_of((1, 2, 3)), frame_of((4, 5, 6))]

    def isOpened(self):
        return self.index < 9

    def read(self):
        return (True, self.frames.pop(0)) if self.frames and self.index else (False, None)

    def release(self):
        self.released = True


@pytest.fixture
def cameras(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cv2, 'VideoCapture', Camera)
    monkeypatch.setattr(Camera, 'opened', [])
    return Camera.opened


@pytest.mark.parametrize('source', [3, '3'])
def test_a_camera_is_read_by_its_index_with_the_time_of_the_clock(source, cameras, monkeypatch):
    times = iter([100.0, 100.5])
    monkeypatch.setattr(video.time, 'monotonic', lambda: next(times))
    with VideoReader(source) as reader:
        assert (reader.fps, reader.size, reader.num_frames) == (25, (64, 48), None)
        frames = list(reader)
        assert cameras[0].index == 3 and not cameras[0].released
    pixels = [frame_of((3, 2, 1)), frame_of((6, 5, 4))]
    np.testing.assert_array_equal([frame.pixels for frame in frames], pixels)
    assert [frame.time for frame in frames] == [0, 0.5]
    assert cameras[0].released


def test_a_camera_that_is_not_there_or_shows_nothing_is_named(cameras):
    with pytest.raises(InputError, match='camera 4242 cannot be opened'):
        VideoReader(4242)
    with pytest.raises(InputError, match='camera 0 has no frame that can be read'):
        VideoReader(0)
    assert all(camera.released for camera in cameras)
