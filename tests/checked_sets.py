"""Data sets to check, and what the check says of them."""

import numpy as np
from mmengine.config import ConfigDict
from tiny_files import CLASSES, write_image, write_map

from mmdpt.datasets.checking import check_splits, format_report

LOAD_IMAGE, LOAD_LABELS = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')
LOAD_DEPTH, PACK = dict(type='LoadDepth'), dict(type='PackDepthInputs')
NAMES = ('p', 'q', 'r')


def write_splits(root):
    """Images p, q, r of 80 x 60 px in train and x, y in val, labels 0..2 and 255, 1 to 4 m."""
    for split, names in (('train', NAMES), ('val', ('x', 'y'))):
        for name in names:
            write_image(root / 'images' / split / f'{name}.jpg', (80, 60))
            write_label(root, name, [0, 1, 2, 255], split=split)
            write_depth(root, name, [0, 1000, 2000, 4000], split=split)
    return root


def write_label(root, name, values, shape=(60, 80), split='train'):
    write_map(root / 'labels' / split / f'{name}.png', values, shape, np.uint8)


def write_depth(root, name, values, shape=(60, 80), split='train', dtype=np.uint16):
    write_map(root / 'depth' / split / f'{name}.png', values, shape, dtype)


def segmentation(root, split='train', **kwargs):
    steps = [LOAD_IMAGE, LOAD_LABELS, PACK]
    prefix = dict(img_path=f'images/{split}', seg_map_path=f'labels/{split}')
    settings = dict(type='SegDataset', data_prefix=prefix, metainfo=CLASSES, pipeline=steps)
    return {**settings, 'data_root': str(root), **kwargs}


def depth(root, split='train', **kwargs):
    steps = [LOAD_IMAGE, LOAD_DEPTH, PACK]
    prefix = dict(img_path=f'images/{split}', depth_map_path=f'depth/{split}')
    settings = dict(type='DepthDataset', data_prefix=prefix, depth_scale=1000, pipeline=steps)
    return {**settings, 'data_root': str(root), **kwargs}


def check(train=None, val=None, test=None, **kwargs):
    datasets = dict(train=train, val=val, test=test)
    cfg = {f'{k}_dataloader': dict(dataset=v) for k, v in datasets.items() if v is not None}
    return check_splits(ConfigDict(cfg), **kwargs)


def only_trouble(dataset):
    """The kind and text of the one trouble of a training set."""
    (report,) = check(dataset)
    ((kind, text),) = report.troubles
    return kind, text


def lines(reports):
    """The rows of the table, by title: their cells."""
    rows = [row.split('   ') for row in format_report(reports).splitlines()]
    return {row[0].strip(): [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
