"""Faster steps give mmseg's results, and resizing is transformers' and others' to the bit."""

import copy

import cv2
import mmseg.datasets.transforms as theirs
import numpy as np
import pytest
import torch
from transformers import DPTImageProcessor

from mmdpt.datasets.transforms import ResizeAsDepthAnything3
from mmdpt.datasets.transforms import as_mmseg as ours
from mmdpt.datasets.transforms.resize_as_transformers import ResizeAsTransformers

SEEDS = range(40)
PIXELS = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def results(seed, image=None):
    """A picture with labels in patches, some ignored, and a float map."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (37, 53, 3), dtype=np.uint8) if image is None else image
    labels = random.integers(0, 4, (4, 5), dtype=np.uint8).repeat(10, 0).repeat(11, 1)[:37, :53]
    labels[:6] = 255
    maps = dict(gt_seg_map=labels.copy(), gt_depth_map=random.random((37, 53), dtype=np.float32))
    return dict(img=image, img_shape=image.shape[:2], **maps, seg_fields=list(maps))


def both(step, seed, given, **arguments):
    """What our step and mmseg's of that name make of copies, and the next random number."""
    done = []
    for steps in (ours, theirs):
        np.random.seed(seed)
        done.append(getattr(steps, step)(**arguments)(copy.deepcopy(given)))
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
        mine, its = both('RandomCrop', seed, given, **arguments)
        assert_same(mine, its)
        once, _ = both('RandomCrop', seed, given, crop_size=(13, 16))
        drawn_again += once['next'] != mine['next']
    assert 0 < drawn_again < len(SEEDS)
    assert_same(*both('RandomCrop', 0, results(0), crop_size=(50, 60)))  # larger
    del given['gt_seg_map'], given['seg_fields'][:]
    assert ours.RandomCrop(**arguments)(given)['img'].shape[:2] == (13, 16)


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', ['horizontal', 'vertical']])
def test_flips(direction):
    prob = 0.5 if isinstance(direction, str) else [0.3, 0.4]
    arguments = dict(prob=prob, direction=direction, swap_seg_labels=[(1, 2)])
    flips = set()
    for seed in SEEDS:
        mine, its = both('RandomFlip', seed, results(seed), **arguments)
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
    assert_same(*both('RandomFlip', 0, results(0, image), prob=1.0))


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_colours(dtype):
    changed = 0
    for seed in SEEDS:
        given = results(seed)
        given['img'] = given['img'].astype(dtype)
        if dtype == np.float32:  # its hue needs 0..1, see cv2.cvtColor
            given['img'] /= 255
        mine, its = both('PhotoMetricDistortion', seed, given)
        assert_same(mine, its)
        changed += bool((mine['img'] != given['img']).any())
    assert changed > len(SEEDS) / 2


@pytest.mark.parametrize(
    'alpha, beta', [(0.5, 0), (1.4999, 0), (1, -31.7), (1, 31.99), (0.7310586, 3.3)]
)
def test_every_value_is_converted_as_by_mmseg(alpha, beta):
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    converted, expected = (
        steps.PhotoMetricDistortion().convert(image, alpha, beta) for steps in (ours, theirs)
    )
    np.testing.assert_array_equal(converted, expected)


@pytest.mark.parametrize(
    'image',
    [
        *(PIXELS, PIXELS.astype(np.float32) / 7, PIXELS[:, ::-1], PIXELS.astype(np.int64)),
        *(PIXELS[..., 0].copy(), PIXELS[..., :1].copy()),
    ],
    ids=['8 bits', 'float', 'a view', '64 bits', 'grey', 'one channel'],
)
def test_packing(image):
    labels = np.ones((4, 5), np.uint8)
    given = dict(img=image, gt_seg_map=labels, img_path='a.jpg', img_shape=(4, 5))
    mine, its = both('PackSegInputs', 0, given)
    assert mine.keys() == its.keys()
    assert mine['inputs'].dtype == its['inputs'].dtype and mine['inputs'].is_contiguous()
    assert torch.equal(mine['inputs'], its['inputs'])
    mine, its = mine['data_samples'], its['data_samples']
    assert torch.equal(mine.gt_sem_seg.data, its.gt_sem_seg.data)
    assert mine.metainfo == its.metainfo
    assert list(ours.PackSegInputs()(dict(img_path='a.jpg'))) == ['data_samples']


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parity
@pytest.mark.parametrize('size', [(100, 150), (150, 90), (40, 30), (64, 64)])
@pytest.mark.parametrize('settings', [dict(), dict(keep_ratio=True, multiple=14)])
def test_pixels_equal_those_of_the_processor(size, settings):
    """Larger, smaller and portrait pictures; squeezed, and with their shape kept."""
    image = picture(*size)
    results = ResizeAsTransformers(70, **settings).transform(dict(img=image))
    processor = DPTImageProcessor(
        size=dict(height=70, width=70),
        keep_aspect_ratio=settings.get('keep_ratio', False),
        ensure_multiple_of=settings.get('multiple', 1),
        do_rescale=False,
        do_normalize=False,
    )
    expected = processor(images=image, return_tensors='np')['pixel_values'][0]
    np.testing.assert_array_equal(results['img'], expected.transpose(1, 2, 0))
    assert results['img'].dtype == np.uint8


def test_sizes_by_hand_and_a_float_image_is_refused():
    """Height 100 to 70 is the smaller change: width 150 * 0.7 = 105, to 98 or 112; 7.5 is even."""
    step = ResizeAsTransformers(70, keep_ratio=True, multiple=14)
    depth = np.ones((100, 150), np.float32)
    given = dict(img=picture(100, 150), gt_depth_map=depth, seg_fields=['gt_depth_map'])
    results = step.transform(given)
    assert results['gt_depth_map'] is depth
    assert results['img'].shape == (70, 112, 3) and results['img_shape'] == (70, 112)
    assert results['scale'] == (112, 70)
    assert results['scale_factor'] == pytest.approx((112 / 150, 0.7))
    assert ResizeAsTransformers(70).transform(dict(img=picture(100, 150)))['scale'] == (70, 70)
    with pytest.raises(ValueError, match='expected a uint8 image, got float32'):
        ResizeAsTransformers(70).transform(dict(img=picture(9, 9).astype(np.float32)))


@pytest.mark.parametrize(
    ('size', 'steps'),  # of (height, width); width, height and interpolation, as in its own run
    [
        ((480, 640), [(504, 378, cv2.INTER_AREA)]),
        ((375, 1242), [(504, 152, cv2.INTER_AREA), (504, 154, cv2.INTER_CUBIC)]),
        ((1080, 1920), [(504, 284, cv2.INTER_AREA), (504, 280, cv2.INTER_AREA)]),
        ((504, 371), [(378, 504, cv2.INTER_CUBIC)]),
        ((99, 131), [(504, 381, cv2.INTER_CUBIC), (504, 378, cv2.INTER_AREA)]),
    ],
)
def test_depth_anything_3_resizes_twice(size, steps):
    """Compared with Depth-Anything-3@2c21ea8 itself: every pixel of these sizes is equal."""
    image = expected = picture(*size)
    for width, height, interpolation in steps:
        expected = cv2.resize(expected, (width, height), interpolation=interpolation)
    results = ResizeAsDepthAnything3().transform(dict(img=image))
    np.testing.assert_array_equal(results['img'], expected)
    assert results['scale_factor'] == (steps[-1][0] / size[1], steps[-1][1] / size[0])
