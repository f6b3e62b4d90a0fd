"""Faster steps give mmseg's results of the same random numbers."""

import copy

import mmseg.datasets.transforms as theirs
import numpy as np
import pytest
import torch

from mmdpt.datasets.transforms.as_mmseg import (
    PackSegInputs,
    PhotoMetricDistortion,
    RandomCrop,
    RandomFlip,
)

SEEDS = range(40)


def results(seed, image=None):
    """A picture with labels in patches, some ignored, and a float map."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (37, 53, 3), dtype=np.uint8) if image is None else image
    labels = random.integers(0, 4, (4, 5), dtype=np.uint8).repeat(10, 0).repeat(11, 1)[:37, :53]
    labels[:6] = 255
    depth = random.random((37, 53), dtype=np.float32)
    return dict(
        img=image,
        img_shape=image.shape[:2],
        gt_seg_map=labels.copy(),
        gt_depth_map=depth,
        seg_fields=['gt_seg_map', 'gt_depth_map'],
    )


def both(ours, other, seed, given):
    done = []
    for step in (ours, other):
        np.random.seed(seed)
        done.append(step(copy.deepcopy(given)))
        done[-1]['next'] = np.random.random()
    return done


def assert_same(mine, its):
    assert mine.keys() == its.keys()
    for key, value in its.items():
        if isinstance(value, np.ndarray):
            assert mine[key].dtype == value.dtype
            np.testing.assert_array_equal(mine[key], value)
        else:
            assert mine[key] == value


@pytest.mark.parametrize('dtype', [np.uint8, np.int64])
@pytest.mark.parametrize('extra', [{}, dict(ignore_index=0), dict(cat_max_ratio=0.5)], ids=str)
def test_crops(extra, dtype):
    arguments = {'crop_size': (13, 16), 'cat_max_ratio': 0.75, **extra}
    drawn_again = 0
    for seed in SEEDS:
        given = results(seed)
        given['gt_seg_map'] = given['gt_seg_map'].astype(dtype)
        mine, its = both(RandomCrop(**arguments), theirs.RandomCrop(**arguments), seed, given)
        assert_same(mine, its)
        once, _ = both(RandomCrop((13, 16)), RandomCrop((13, 16)), seed, given)
        drawn_again += once['next'] != mine['next']
    assert 0 < drawn_again < len(SEEDS)
    assert_same(*both(RandomCrop((50, 60)), theirs.RandomCrop((50, 60)), 0, results(0)))  # larger


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', ['horizontal', 'vertical']])
def test_flips(direction):
    prob = 0.5 if isinstance(direction, str) else [0.3, 0.4]
    arguments = dict(prob=prob, direction=direction, swap_seg_labels=[(1, 2)])
    flips = set()
    for seed in SEEDS:
        mine, its = both(
            RandomFlip(**arguments), theirs.RandomFlip(**arguments), seed, results(seed)
        )
        assert_same(mine, its)
        assert mine['img'].flags.c_contiguous
        flips.add(mine['flip_direction'])
    assert flips == {None, *([direction] if isinstance(direction, str) else direction)}


@pytest.mark.parametrize(
    ('dtype', 'channels'),
    [(np.float32, ()), (np.float32, (1,)), (np.int64, ()), (np.int64, (1,)), (bool, ())],
)
def test_flips_of_grey_and_other_images(dtype, channels):
    image = np.arange(37 * 53).astype(dtype).reshape(37, 53, *channels)
    assert_same(*both(RandomFlip(1.0), theirs.RandomFlip(1.0), 0, results(0, image)))


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_colours(dtype):
    changed = 0
    for seed in SEEDS:
        given = results(seed)
        given['img'] = given['img'].astype(dtype)
        if dtype == np.float32:  # its hue needs 0..1, see cv2.cvtColor
            given['img'] /= 255
        mine, its = both(PhotoMetricDistortion(), theirs.PhotoMetricDistortion(), seed, given)
        assert_same(mine, its)
        changed += bool((mine['img'] != given['img']).any())
    assert changed > len(SEEDS) / 2


@pytest.mark.parametrize(
    'alpha, beta', [(0.5, 0), (1.4999, 0), (1, -31.7), (1, 31.99), (0.7310586, 3.3)]
)
def test_every_value_is_converted_as_by_mmseg(alpha, beta):
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    expected = theirs.PhotoMetricDistortion().convert(image, alpha, beta)
    np.testing.assert_array_equal(PhotoMetricDistortion().convert(image, alpha, beta), expected)


@pytest.mark.parametrize(
    'image',
    [
        np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3),
        np.arange(4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3) / 7,
        np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)[:, ::-1],
        np.arange(4 * 5 * 3, dtype=np.int64).reshape(4, 5, 3),
        np.arange(4 * 5, dtype=np.uint8).reshape(4, 5),
        np.arange(4 * 5, dtype=np.uint8).reshape(4, 5, 1),
    ],
    ids=['8 bits', 'float', 'a view', '64 bits', 'grey', 'one channel'],
)
def test_packing(image):
    given = dict(
        img=image, gt_seg_map=np.ones((4, 5), np.uint8), img_path='a.jpg', img_shape=(4, 5)
    )
    mine, its = PackSegInputs()(dict(given)), theirs.PackSegInputs()(dict(given))
    assert mine.keys() == its.keys()
    assert mine['inputs'].dtype == its['inputs'].dtype and mine['inputs'].is_contiguous()
    assert torch.equal(mine['inputs'], its['inputs'])
    mine, its = mine['data_samples'], its['data_samples']
    assert torch.equal(mine.gt_sem_seg.data, its.gt_sem_seg.data)
    assert mine.metainfo == its.metainfo
    assert list(PackSegInputs()(dict(img_path='a.jpg'))) == ['data_samples']
