"""A bad file of each sort stops a training with its name, or is left out and noted."""

import re

import numpy as np
import pytest
from tiny_files import CLASSES, LabelsAndDepth, write_image, write_map

from mmdpt.datasets.training_samples import Draw, TrainingSamples
from mmdpt.errors import InputError

NAMES = ('p', 'q', 'r')
STEPS = ['LoadImageFromFile', 'LoadAnnotations', 'LoadDepth', 'PackDepthInputs']
BAD = {
    'image': ('images/q.jpg', lambda path: path.write_bytes(b''), 'cannot read image'),
    'label': ('labels/q.png', lambda path: write_map(path, [3], (40, 60), np.uint8), r'holds \[3]'),
    'depth': (
        'depth/q.png',
        lambda path: write_map(path, [0], (40, 60), np.uint16),
        'has no valid',
    ),
}


@pytest.fixture
def root(tmp_path):
    """Images p, q, r of 60 x 40 px, labels 0..2 and 255, depth 1 to 4 m."""
    for name in NAMES:
        write_image(tmp_path / 'images' / f'{name}.jpg', (60, 40))
        write_map(tmp_path / 'labels' / f'{name}.png', [0, 1, 2, 255], (40, 60), np.uint8)
        write_map(tmp_path / 'depth' / f'{name}.png', [0, 1000, 4000], (40, 60), np.uint16)
    return tmp_path


def samples(root, on_bad_sample):
    dataset = LabelsAndDepth(
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=CLASSES,
        pipeline=[dict(type=step) for step in STEPS],
    )
    return TrainingSamples(dataset, 0, on_bad_sample)


def test_good_files_are_read(root):
    for index in range(3):
        sample = samples(root, 'skip')[Draw(index, 10 + index)]['data_samples']
        assert sample.img_path.endswith(f'images/{NAMES[index]}.jpg')
        assert 'skipped' not in sample.metainfo


@pytest.mark.parametrize('kind', BAD)
def test_stop_names_the_file_and_skip_takes_another(root, kind):
    file, damage, words = BAD[kind]
    damage(root / file)
    file = str(root / file)
    with pytest.raises(InputError, match=f'{re.escape(file)}.*{words}|{words}.*{re.escape(file)}'):
        samples(root, 'stop')[Draw(1, 10)]
    sample = samples(root, 'skip')[Draw(1, 10)]['data_samples']
    assert sample.img_path != str(root / 'images' / 'q.jpg')
    for path, reason in sample.skipped:
        assert path == str(root / 'images' / 'q.jpg')
        assert file in reason and re.search(words, reason)


def test_empty_depth_that_is_allowed_is_no_bad_sample(root):
    write_map(root / 'depth' / 'q.png', [0], (40, 60), np.uint16)
    stop = samples(root, 'stop')
    stop.dataset.pipeline.transforms[2].allow_empty = True
    sample = stop[Draw(1, 10)]['data_samples']
    assert sample.gt_depth_map.data.isnan().all()
