"""Readers, each with what a right answer is; InputError is one, too.

A reader takes the path, the damaged bytes in it, and the original.
"""

import io
import re
import struct
from pathlib import Path

import cv2
import numpy as np
import torch
from damage import with_checksums
from originals import CLASSES, DEPTH, HEIGHT, LABELS, MODEL, WIDTH


class Wrong(Exception):
    """Neither an InputError nor a right answer."""


def expect(holds, what):
    if not holds:
        raise Wrong(what)


def picture(path, data, original):
    from mmdpt.inference.images import read_image

    found = read_image(path)
    expect(found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3, found.shape)
    expect(found.size > 0, 'no pixel')
    as_the_original(path, data, original, found, read_image)


def training_image(path, data, original):
    from mmdpt.datasets.transforms import LoadImageFromFile

    def read(path):
        return LoadImageFromFile().transform(dict(img_path=str(path)))

    results = read(path)
    found = results['img']
    expect(found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3, found.shape)
    expect(results['ori_shape'] == found.shape[:2], 'another ori_shape')
    as_the_original(path, data, original, found, lambda path: read(path)['img'])


def as_the_original(path, data, original, found, read):
    """A PNG has checksums: what is read of a damaged one without error is what it was."""
    if path.suffix == '.png' and data != with_checksums(data):
        whole = path.with_name('whole.png')
        whole.write_bytes(original.data)
        expect(np.array_equal(found, read(whole)), 'other pixels in spite of checksums')


def label(path, data, original):
    from mmdpt.datasets.transforms import LoadAnnotations

    results = dict(
        img_path='a.jpg',
        seg_map_path=str(path),
        ori_shape=(HEIGHT, WIDTH),
        num_classes=CLASSES,
        seg_fields=[],
        reduce_zero_label=False,
    )
    LoadAnnotations().transform(results)
    found = results['gt_seg_map']
    expect(found.dtype == np.uint8 and found.shape == (HEIGHT, WIDTH), found.shape)
    expect(((found < CLASSES) | (found == 255)).all(), 'a value that is no class')
    if data != with_checksums(data):
        expect((found == LABELS).all(), 'other labels in spite of checksums')


def depth(path, data, original, encoding=None):
    from mmdpt.datasets.transforms import LoadDepth

    results = dict(
        img_path='a.jpg',
        depth_map_path=str(path),
        depth_encoding=encoding,
        depth_scale=1000,
        invalid_values=(65535,),
        ori_shape=(HEIGHT, WIDTH),
    )
    found = LoadDepth().transform(results)['gt_depth_map']
    expect(found.dtype == np.float32 and found.shape == (HEIGHT, WIDTH), found.shape)
    valid = ~np.isnan(found)
    expect(valid.any() and (found[valid] > 0).all() and (found[valid] < np.inf).all(), 'no depth')
    expect(0.01 <= np.median(found[valid]) <= 1000, 'an implausible median')
    by_hand = BY_HAND.get(encoding or path.suffix)
    if by_hand:
        values = by_hand(data)
    elif data != with_checksums(data):
        values = DEPTH
    else:
        return
    with np.errstate(all='ignore'):
        known = (values > 0) & (values < np.inf) & (values != 65535)
        expected = np.where(known, values.astype(np.float32), np.nan) / np.float32(1000)
    expected[~((expected > 0) & (expected < np.inf))] = np.nan
    expect(np.array_equal(found, expected, equal_nan=True), 'other depth than by hand')


def rotated_depth(path, data, original):
    depth(path, data, original, 'uint16_rotated_by_3')


def raw_depth(path, data, original):
    depth(path, data, original, 'raw_float32')


def pfm_by_hand(data):
    tag, width, height, rest = data.split(None, 3)
    end = re.search(rb'\s', rest).start()
    width, height, body = int(width), int(height), rest[end + 1 :]
    expect(tag == b'Pf', 'colours')
    order = '<' if float(rest[:end]) < 0 else '>'
    rows = [
        struct.unpack(f'{order}{width}f', body[4 * width * y : 4 * width * (y + 1)])
        for y in range(height)
    ]
    return np.array(rows[::-1], np.float32)


def dpt_by_hand(data):
    tag, width, height = struct.unpack('<4sii', data[:12])
    expect(tag == b'PIEH', tag)
    return raw_by_hand(data[12:], height, width)


def raw_by_hand(data, height=HEIGHT, width=WIDTH):
    numbers = struct.unpack(f'<{height * width}f', data)
    return np.array(numbers, np.float32).reshape(height, width)


def npy_by_hand(data):
    return np.load(io.BytesIO(data), allow_pickle=False).reshape(HEIGHT, WIDTH)


def rotated_by_hand(data):
    values = np.asarray(
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint32
    )
    return (values // 8 + values % 8 * 8192).astype(np.uint16)


BY_HAND = {
    '.pfm': pfm_by_hand,
    '.dpt': dpt_by_hand,
    '.npy': npy_by_hand,
    'raw_float32': raw_by_hand,
    'uint16_rotated_by_3': rotated_by_hand,
}


def expect_inside(info, path):
    expect(Path(info['img_path']).resolve().is_relative_to(path.parent.resolve()), 'outside')


def depth_list(path, data, original):
    from mmdpt.datasets import DepthListDataset

    for info in DepthListDataset(ann_file=str(path), lazy_init=True).load_data_list():
        expect_inside(info, path)
        expect(0 < info['depth_scale'] < np.inf, info['depth_scale'])


def split_list(path, data, original):
    from mmdpt.datasets import NYUDepthDataset, SegDataset

    root = str(path.parent)
    settings = dict(data_root=root, ann_file=path.name, lazy_init=True)
    folders = dict(img_path='', seg_map_path='')
    labelled = SegDataset(data_prefix=folders, metainfo=dict(classes=('a', 'b')), **settings)
    folders = dict(img_path='', depth_map_path='')
    for dataset in (NYUDepthDataset(data_prefix=folders, **settings), labelled):
        for info in dataset.load_data_list():
            expect_inside(info, path)


def diw_list(path, data, original):
    from mmdpt.datasets import DIWDataset

    dataset = DIWDataset(data_root=str(path.parent), ann_file=path.name, lazy_init=True)
    for info in dataset.load_data_list():
        expect_inside(info, path)
        expect(min(min(point) for point in info['ordinal_pairs'][0][:2]) >= 0, 'a point outside')


def checkpoint(path, data, original):
    from mmdpt.checkpoints.reading.reader import read_checkpoint

    state_dict = read_checkpoint(path).state_dict
    for name, value in state_dict.items():
        expect(isinstance(name, str) and isinstance(value, torch.Tensor), name)
        value.sum()  # touches every number
    if path.suffix == '.pth':  # which has checksums
        expect(list(state_dict) == list(MODEL), 'other names in spite of checksums')
        equal = all(value.equal(MODEL[name]) for name, value in state_dict.items())
        expect(equal, 'other numbers in spite of checksums')
