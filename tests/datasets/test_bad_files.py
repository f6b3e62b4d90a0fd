"""Every kind of bad file stops a training with its name, or is left out and noted."""

import re

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmdpt.datasets.draws import Draw
from mmdpt.datasets.seg_dataset import SegDataset
from mmdpt.datasets.training_samples import TrainingSamples
from mmdpt.errors import InputError

NAMES = ('p', 'q', 'r')
CLASSES = dict(classes=('a', 'b', 'c'), palette=[[255, 0, 0], [0, 255, 0], [0, 0, 255]])
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='LoadDepth'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackDepthInputs'),
]


class LabelsAndDepth(SegDataset):
    """Labels, and depth [m] beside them."""

    def load_data_list(self):
        data_list = super().load_data_list()
        for info in data_list:
            depth = info['seg_map_path'].replace('/labels/', '/depth/').replace('.png', '.npy')
            info.update(depth_map_path=depth, depth_scale=1.0)
        return data_list


def write_label(path, values, shape=(40, 60), dtype=np.uint8):
    Image.fromarray(np.resize(np.array(values, dtype), shape)).save(path)


def write_depth(path, values, shape=(40, 60)):
    np.save(path, np.resize(np.array(values, np.float32), shape))


def keep(part):
    """Keep the first part of a file."""

    def cut(path):
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * part)])

    return cut


@pytest.fixture
def root(tmp_path):
    """Images p, q, r of 60 x 40 px, labels 0..2 and 255, depth 1 to 4 m."""
    init_default_scope('mmdpt')
    for kind in ('images', 'labels', 'depth'):
        (tmp_path / kind).mkdir()
    for name in NAMES:
        rng = np.random.default_rng(ord(name))
        image = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / 'images' / f'{name}.jpg')
        write_label(tmp_path / 'labels' / f'{name}.png', [0, 1, 2, 255])
        write_depth(tmp_path / 'depth' / f'{name}.npy', [0, 1, 2, 4])
    return tmp_path


BAD = {
    'image of no bytes': ('images/q.jpg', keep(0), 'it is empty'),
    'half an image': ('images/q.jpg', keep(0.5), 'it is a JPEG cut short'),
    'image of zeros': ('images/q.jpg', lambda path: path.write_bytes(bytes(999)), 'cannot read'),
    'image without its end': ('images/q.jpg', keep(0.999), 'it is a JPEG cut short'),
    'label of no bytes': ('labels/q.png', keep(0), 'it is empty'),
    'half a label': ('labels/q.png', keep(0.5), 'cannot read label'),
    'coloured label': (
        'labels/q.png',
        lambda path: write_label(path, [0, 1, 2], (40, 60, 3)),
        'has 3 channels: expected one',
    ),
    'label with opacity': (
        'labels/q.png',
        lambda path: write_label(path, [0, 1, 2, 255], (40, 60, 4)),
        'has 4 channels: expected one',
    ),
    'label of another size': (
        'labels/q.png',
        lambda path: write_label(path, [0, 1, 2], (60, 40)),
        'is 40 x 60 px, its image',
    ),
    'label out of range': (
        'labels/q.png',
        lambda path: write_label(path, [0, 1, 3]),
        r'holds \[3\]: expected 0\.\.2',
    ),
    'depth of no bytes': ('depth/q.npy', keep(0), 'it is empty'),
    'half a depth map': ('depth/q.npy', keep(0.5), 'cannot read depth file'),
    'coloured depth': (
        'depth/q.npy',
        lambda path: write_depth(path, [1, 2, 3], (40, 60, 3)),
        r'has shape \(40, 60, 3\): expected one channel',
    ),
    'depth of another size': (
        'depth/q.npy',
        lambda path: write_depth(path, [1, 2], (39, 60)),
        'is 60 x 39 px, its image',
    ),
    'depth of NaN': ('depth/q.npy', lambda path: write_depth(path, [np.nan]), 'has no valid pixel'),
    'empty depth': ('depth/q.npy', lambda path: write_depth(path, [0, -1]), 'has no valid pixel'),
}


def samples(root, on_bad_sample):
    dataset = LabelsAndDepth(
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=CLASSES,
        pipeline=PIPELINE,
    )
    return TrainingSamples(dataset, 0, on_bad_sample)


def test_good_files_are_read(root):
    for index in range(3):
        sample = samples(root, 'skip')[Draw(index, 10 + index)]['data_samples']
        assert sample.img_path.endswith(f'images/{NAMES[index]}.jpg')
        assert 'skipped' not in sample.metainfo


@pytest.mark.parametrize('kind', BAD)
def test_stop_names_the_file_and_what_is_wrong(root, kind):
    file, damage, words = BAD[kind]
    damage(root / file)
    message = rf'{re.escape(str(root / file))}.*{words}|{words}.*{re.escape(str(root / file))}'
    with pytest.raises(InputError, match=message):
        samples(root, 'stop')[Draw(1, 10)]


@pytest.mark.parametrize('kind', BAD)
def test_skip_takes_another_and_notes_the_file(root, kind):
    file, damage, words = BAD[kind]
    damage(root / file)
    sample = samples(root, 'skip')[Draw(1, 10)]['data_samples']
    assert sample.img_path != str(root / 'images' / 'q.jpg')
    for path, reason in sample.skipped:
        assert path == str(root / 'images' / 'q.jpg')
        assert str(root / file) in reason and re.search(words, reason)


def test_empty_depth_that_is_allowed_is_no_bad_sample(root):
    write_depth(root / 'depth' / 'q.npy', [0])
    stop = samples(root, 'stop')
    stop.dataset.pipeline.transforms[2].allow_empty = True
    sample = stop[Draw(1, 10)]['data_samples']
    assert sample.gt_depth_map.data.isnan().all()
