"""A video file opens no other file or address, and has frames of a size that fits."""

import socket

import av
import numpy as np
import pytest

from mmdpt.errors import InputError
from mmdpt.files.image_checks import PIXELS_VARIABLE
from mmdpt.inference.video import VIDEO_SUFFIXES, VideoReader

PLAYLIST = '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n'
SESSION = 'v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5555 RTP/AVP 96\n'
CODECS = {
    '.mp4': 'libx264',
    '.mov': 'mpeg4',
    '.m4v': 'mpeg4',
    '.avi': 'mjpeg',
    '.mkv': 'libx265',
    '.webm': 'libvpx',
    '.wmv': 'wmv2',
    '.mpg': 'mpeg1video',
    '.mpeg': 'mpeg2video',
}
FORMATS = {'.wmv': 'asf'}


@pytest.fixture
def video(tmp_path):
    """Write three frames."""

    def write(name, codec='mpeg4', container=None, size=(64, 48)):
        path = tmp_path / name
        with av.open(path, 'w', format=container) as output:
            stream = output.add_stream(codec, 25)
            stream.width, stream.height = size
            stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
            for level in range(3):
                frame = av.VideoFrame.from_ndarray(np.full((*size[::-1], 3), 80 * level, np.uint8))
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
        return path

    return write


@pytest.mark.parametrize('suffix', VIDEO_SUFFIXES)
def test_videos_of_every_suffix_are_read(video, suffix):
    with VideoReader(video(f'a{suffix}', CODECS[suffix], FORMATS.get(suffix))) as reader:
        assert len(list(reader)) == 3


def test_a_list_of_files_is_not_followed(video, tmp_path):
    """FFmpeg's concat demuxer goes by the content, and would show the other file."""
    video('secret.mp4')
    path = tmp_path / 'list.mp4'
    path.write_text("ffconcat version 1.0\nfile 'secret.mp4'\n")
    with av.open(path) as followed:
        assert next(followed.decode(video=0)).width == 64
    with pytest.raises(InputError, match=r'list\.mp4 cannot be opened: it is damaged, or none of'):
        VideoReader(path)


@pytest.mark.parametrize(
    'content',
    [
        PLAYLIST.format('http://127.0.0.1:{port}/a.ts'),
        PLAYLIST.format('file:///etc/hostname'),
        SESSION,
        '<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:{port}/</BaseURL></MPD>',
        "ffconcat version 1.0\nfile 'http://127.0.0.1:{port}/a.mp4'\n",
    ],
)
def test_playlists_call_nobody(tmp_path, content):
    path = tmp_path / 'a.mp4'
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.setblocking(False)
        path.write_text(content.replace('{port}', str(server.getsockname()[1])))
        with pytest.raises(InputError, match=r'a\.mp4 cannot be opened'):
            VideoReader(path)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_frames_beyond_the_limit_are_refused(video, monkeypatch):
    path = video('a.mp4')
    monkeypatch.setenv(PIXELS_VARIABLE, str(64 * 48))
    with VideoReader(path) as reader:
        assert reader.size == (64, 48)
    monkeypatch.setenv(PIXELS_VARIABLE, str(64 * 48 - 1))
    with pytest.raises(InputError, match=r'a\.mp4 has 64 x 48 = 3072 px, more than the 3071'):
        VideoReader(path)


def test_a_later_frame_beyond_the_limit_is_not_decoded(video, monkeypatch, tmp_path):
    small, large = (
        video(f'{size[0]}.h264', 'libx264', size=size) for size in ((64, 48), (640, 480))
    )
    path = tmp_path / 'both.mp4'
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with VideoReader(path) as reader:
        assert len(list(reader)) == 6
    monkeypatch.setenv(PIXELS_VARIABLE, str(64 * 48))
    with VideoReader(path) as reader:
        assert 1 <= len(list(reader)) <= 3
