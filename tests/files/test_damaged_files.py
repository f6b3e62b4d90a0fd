"""Damage that some reader did not see, or answered with another exception than InputError."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from mmdpt.datasets import DepthListDataset, DIWDataset, NYUDepthDataset, SegDataset
from mmdpt.datasets.conversion.kitti import read_focal, read_split
from mmdpt.datasets.conversion.tum import _read_stamps
from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.datasets.transforms import LoadAnnotations, LoadImageFromFile
from mmdpt.errors import InputError
from mmdpt.files.image_checks import check_whole
from mmdpt.inference.images import decode_image, read_image

LABELS = np.random.default_rng(0).integers(7, size=(19, 23)).astype(np.uint8)
LATIN = 'Straße\n'.encode('latin-1')


def png(values=LABELS):
    file = io.BytesIO()
    Image.fromarray(values).save(file, 'PNG')
    return file.getvalue()


def with_changed_pixels():
    """A bit among the compressed pixels changed, so that Pillow decodes others without a word."""
    for place in range(png().index(b'IDAT') + 8, len(png()) - 20):
        data = bytearray(png())
        data[place] ^= 1
        try:
            if (np.asarray(Image.open(io.BytesIO(data))) != LABELS).any():
                return bytes(data)
        except OSError:
            continue
    raise AssertionError('Pillow sees every change: the checksums need no look of ours')


def load_label(path):
    info = dict(seg_map_path=str(path), seg_fields=[], reduce_zero_label=False)
    return LoadAnnotations().transform(info)['gt_seg_map']


def load_image(path):
    return LoadImageFromFile().transform(dict(img_path=str(path)))['img']


@pytest.mark.parametrize(
    'read',
    [
        read_image,
        load_image,
        load_label,
        lambda path: read_depth_file(str(path)),
        lambda path: decode_image(path.read_bytes(), path.name),
    ],
)
def test_png_with_another_checksum_is_refused_by_every_reader(tmp_path, read):
    path = tmp_path / 'a.png'
    path.write_bytes(png())
    assert read(path).shape[:2] == (19, 23)
    path.write_bytes(with_changed_pixels())
    with pytest.raises(InputError, match=r'a\.png'):
        read(path)


def test_png_chunk_that_says_it_has_a_gigabyte_is_refused_before_it_is_decoded():
    data = bytearray(png())
    place = data.index(b'IDAT') - 4
    data[place : place + 4] = struct.pack('>I', 1 << 30)
    with pytest.raises(ValueError, match='a PNG cut short: its last chunk is missing'):
        check_whole(bytes(data))


@pytest.mark.parametrize('end', [8, 20, -12, -1])
def test_png_cut_anywhere_is_refused(end):
    check_whole(png() + b'more')
    with pytest.raises(ValueError, match='a PNG cut short'):
        check_whole(png()[:end])


@pytest.mark.parametrize(
    'header',
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), (",  # TokenError
        '{[]: 1}',  # TypeError
        "{'descr': '<f4', 'fortran_order': False}",
    ],
)
def test_npy_with_a_damaged_header_is_named(tmp_path, header):
    path = tmp_path / 'a.npy'
    head = header.encode().ljust(117) + b'\n'
    path.write_bytes(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head + bytes(24))
    with pytest.raises(InputError, match=r'depth file .*a\.npy: its header is damaged'):
        read_depth_file(str(path))


LISTS = {
    'depth.csv': lambda path: DepthListDataset(ann_file=str(path), depth_scale=1),
    'depth.jsonl': lambda path: DepthListDataset(ann_file=str(path), depth_scale=1),
    'diw.csv': lambda path: DIWDataset(data_root=str(path.parent), ann_file=path.name),
    'nyu.txt': lambda path: NYUDepthDataset(data_root=str(path.parent), ann_file=path.name),
    'seg.txt': lambda path: SegDataset(
        data_root=str(path.parent),
        ann_file=path.name,
        data_prefix=dict(img_path='', seg_map_path=''),
        metainfo=dict(classes=('a', 'b')),
    ),
    'kitti.txt': read_split,
    'tum.txt': _read_stamps,
    'calib.txt': lambda path: read_focal(path, '2'),
}


@pytest.mark.parametrize('name', LISTS)
def test_list_that_is_no_utf_8_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(LATIN)
    with pytest.raises(InputError, match=rf'{name} is no text: .*0xdf'):
        LISTS[name](path)


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('P_rect_02:', ": no number in 'P_rect_02:"),
        ('P_rect_02: much 0 1', ": no number in 'P_rect_02:"),
        ('P_rect_03: 7.2 0 1', ' has no P_rect_02'),
    ],
)
def test_calibration_without_its_number_or_camera_is_named(tmp_path, line, message):
    path = tmp_path / 'calib.txt'
    path.write_text(line + '\n')
    with pytest.raises(InputError, match=rf'calib\.txt{message}'):
        read_focal(path, '2')
