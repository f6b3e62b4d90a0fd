"""A video file opens no other file or address, and has frames of a size that fits."""

import cv2
import numpy as np
import pytest

from mmdpt.errors import InputError
from mmdpt.files.image_checks import PIXELS_VARIABLE
from mmdpt.inference.video import VIDEO_SUFFIXES, VideoReader

PLAYLIST = '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n'
SESSION = 'v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5555 RTP/AVP 96\n'


@pytest.fixture
def video(tmp_path):
    """Three frames of 64 x 48 px in each container that OpenCV writes here."""

    def write(name, codec):
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, (64, 48))
        for level in range(3):
            writer.write(np.full((48, 64, 3), 80 * level, np.uint8))
        writer.release()
        return path

    return write


@pytest.mark.parametrize(
    ('name', 'codec'),
    [
        ('a.mp4', 'mp4v'),
        ('a.mov', 'mp4v'),
        ('a.m4v', 'mp4v'),
        ('a.avi', 'MJPG'),
        ('a.mkv', 'MJPG'),
        ('a.webm', 'VP80'),
        ('a.wmv', 'WMV2'),
        ('a.mpg', 'MPG1'),
        ('a.mpeg', 'MPG2'),
    ],
)
def test_videos_are_read(video, name, codec):
    path = video(name, codec)
    if not path.exists() or not path.stat().st_size:
        pytest.skip(f'this OpenCV writes no {codec}')
    with VideoReader(path) as reader:
        assert len(list(reader)) == 3


def test_all_suffixes_are_tried():
    assert set(VIDEO_SUFFIXES) == {
        *('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')
    }


def test_a_list_of_files_is_not_followed(video, tmp_path):
    """FFmpeg's concat demuxer goes by the content, and would show the other file."""
    video('secret.mp4', 'mp4v')
    path = tmp_path / 'list.mp4'
    path.write_text("ffconcat version 1.0\nfile 'secret.mp4'\n")
    assert cv2.VideoCapture(str(path)).read()[0]
    with pytest.raises(InputError, match=r'list\.mp4 is of no kind that is read: AVI,'):
        VideoReader(path)


@pytest.mark.parametrize(
    'content',
    [
        PLAYLIST.format('http://127.0.0.1:9/a.ts'),
        PLAYLIST.format('file:///etc/hostname'),
        SESSION,
        '<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:9/</BaseURL></MPD>',
        '',
    ],
)
def test_playlists_are_not_opened(tmp_path, content, monkeypatch):
    path = tmp_path / 'a.mp4'
    path.write_text(content)
    monkeypatch.setattr(cv2, 'VideoCapture', lambda *_: pytest.fail('opened'))
    with pytest.raises(InputError, match=r'a\.mp4 is of no kind that is read'):
        VideoReader(path)


def test_frames_beyond_the_limit_are_refused(video, monkeypatch):
    path = video('a.mp4', 'mp4v')
    monkeypatch.setenv(PIXELS_VARIABLE, str(64 * 48))
    with VideoReader(path) as reader:
        assert reader.size == (64, 48)
    monkeypatch.setenv(PIXELS_VARIABLE, str(64 * 48 - 1))
    with pytest.raises(InputError, match=r'a\.mp4 has 64 x 48 = 3072 px, more than the 3071'):
        VideoReader(path)
