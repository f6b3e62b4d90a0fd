"""Tiny images, label maps and depth files, written without the code under test."""

import av
import cv2
import numpy as np
from PIL import Image

from mmdpt.datasets.seg_dataset import SegDataset

CLASSES = dict(classes=('a', 'b', 'c'), palette=[[255, 0, 0], [0, 255, 0], [0, 0, 255]])


def write_image(path, size=(8, 6), value=90, **options):
    """Write a picture of one grey; ``size`` is its width and height [px]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).save(path, **options)


def write_map(path, values, shape=None, dtype=None):
    """Write labels, depth, a mask or a picture by the path's suffix, repeated to a shape (H, W)."""
    values = np.asarray(values, dtype)
    values = values if shape is None else np.resize(values, shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.npy':
        np.save(path, values)
    elif path.suffix == '.pfm':
        write_pfm(path, values)
    elif path.suffix in ('.tif', '.tiff'):
        cv2.imwrite(str(path), values)
    else:
        Image.fromarray(values).save(path)
    return path


def write_pfm(path, values, order='<', scale=1.0):
    """Write a portable float map, rows from the bottom up; a negative scale is little-endian."""
    sign = '-' if order == '<' else ''
    header = f'Pf\n{values.shape[1]} {values.shape[0]}\n{sign}{scale}\n'.encode()
    path.write_bytes(header + values[::-1].astype(f'{order}f4').tobytes())


class LabelsAndDepth(SegDataset):
    """Files below 'labels', and below 'depth' their depth as PNG [mm]."""

    def load_data_list(self):
        """List both."""
        data_list = super().load_data_list()
        for info in data_list:
            depth = info['seg_map_path'].replace('/labels/', '/depth/')
            info.update(depth_map_path=depth, depth_scale=1000.0)
        return data_list


def write_clip(path, sound=None, rate=44_100, first=1.0):
    """Write ten grey frames a second for two seconds and, with a codec, sound from ``first`` on.

    The first frame is shown after one second [s].
    """
    with av.open(path, 'w') as container:
        video = container.add_stream('libx264', 10)
        video.width, video.height, video.pix_fmt = 64, 48, 'yuv420p'
        audio = container.add_stream(sound, rate) if sound else None
        for index in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * index, np.uint8))
            frame.pts = 10 + index
            container.mux(video.encode(frame))
        wave = (20_000 * np.sin(np.arange(2 * rate) / 10)).astype(np.int16)
        for index in range(0, len(wave) - 1023, 1024) if sound else ():
            part = av.AudioFrame.from_ndarray(
                np.stack([wave[index : index + 1024]] * 2, 1).reshape(1, -1), 's16', 'stereo'
            )
            part.sample_rate, part.pts = rate, index + round(first * rate)
            container.mux(audio.encode(part))
        for stream in container.streams:
            container.mux(stream.encode())
    return path


def packets_of_sound(path):
    """Give the packets' bytes, and their times [s] after the first frame."""
    with av.open(path) as container:
        first = next(container.decode(video=0)).time
    with av.open(path) as container:
        stream = container.streams.best('audio')
        packets = container.demux(stream) if stream else ()
        found = [packet for packet in packets if packet.dts is not None]
    return [bytes(each) for each in found], [
        float(each.pts * each.time_base) - first for each in found
    ]
