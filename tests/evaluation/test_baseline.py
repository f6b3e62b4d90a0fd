"""Baselines that ignore the image, by hand and on real data."""

from functools import cache

import numpy as np
import pytest
from PIL import Image

from mmdpt.evaluation import median_depth, most_frequent_class


def test_most_frequent_class_by_hand():
    train = [np.array([[0, 1], [1, 255]]), np.array([[0, 1], [0, 1]]), np.array([[1, 1], [0, 1]])]
    # prediction [[0, 1], [0, 1]]: right at 2 of 3 valid pixels
    test = [np.array([[0, 0], [255, 1]])]
    metrics = most_frequent_class(train, test, 2)
    assert metrics['aAcc'] == pytest.approx(200 / 3)
    assert metrics['mIoU'] == pytest.approx((1 / 2 + 1 / 2) / 2 * 100)
    with pytest.raises(ValueError, match='no training labels'):
        most_frequent_class([], [np.zeros((2, 2))], 2)


def test_camvid_as_its_readme_says(data_root):
    def labels(split):
        for path in sorted((data_root / 'camvid' / 'annotations' / split).glob('*.png')):
            label = np.asarray(Image.open(path)).copy()
            label[label == 11] = 255
            yield label

    metrics = most_frequent_class(labels('train'), labels('val'), 11)
    assert metrics['mIoU'] == pytest.approx(16.7, abs=0.05)
    assert metrics['aAcc'] == pytest.approx(59.0, abs=0.05)


NAN = np.nan


def test_median_by_hand():
    """Medians: 2 of all, [2, 4] per pixel where there are any, 2 where there is none."""
    train = [np.array([[1.0, NAN, NAN]]), np.array([[2.0, 4.0, NAN]]), np.array([[2.0, 4.0, NAN]])]
    test = [np.array([[2.0, 4.0, 1.0]]), np.array([[NAN, NAN, NAN]])]
    scores = median_depth(train, test)
    assert scores['constant']['abs_rel'] == pytest.approx((0 + 0.5 + 1) / 3)
    assert scores['per_pixel']['abs_rel'] == pytest.approx((0 + 0 + 1) / 3)
    assert scores['per_pixel']['d1'] == pytest.approx(2 / 3)


def test_no_depth_to_score():
    ones, none = [np.ones((1, 1))], [np.full((1, 1), NAN)]
    for train in ([], none):
        with pytest.raises(ValueError, match='no valid training depth'):
            median_depth(train, ones)
    with pytest.raises(ValueError, match='no valid test depth'):
        median_depth(ones, none)


@cache  # each room is read once
def depths(folder, name):
    maps = (np.asarray(Image.open(path)) / 1000 for path in sorted(folder.glob(f'{name}*.png')))
    return [np.where(depth > 0, depth, NAN).astype(np.float32) for depth in maps]


@pytest.mark.parametrize(
    ('room', 'constant', 'per_pixel'),
    [('kitchen', (0.443, 0.308), (0.179, 0.671)), ('office', (0.194, 0.658), (0.292, 0.341))],
)
def test_rooms_as_their_readme_says(data_root, room, constant, per_pixel):
    """AbsRel and d1 of the README: medians of both rooms, on the test images of one."""
    folder = data_root / 'indoor_rgbd/annotations'
    scores = median_depth(depths(folder / 'train', ''), depths(folder / 'test', room))
    for name, expected in (('constant', constant), ('per_pixel', per_pixel)):
        found = scores[name]['abs_rel'], scores[name]['d1']
        assert found == pytest.approx(expected, abs=6e-4)
