"""Transforms move depth about: no number is made up, nothing invalid becomes valid."""

import cv2
import numpy as np
import pytest

from mmdpt.datasets.transforms import RandomZoomDepth
from mmdpt.datasets.transforms.as_mmseg import PackDepthInputs
from mmdpt.datasets.transforms.depth_geometry import (
    KBCrop,
    NYUCrop,
    RandomCropDepth,
    RandomRotateDepth,
    ResizeDepth,
    fit_size,
)
from mmdpt.errors import InputError
from mmdpt.registry import TRANSFORMS


def sample(height=60, width=80, share=0.4, labels=False):
    """An image whose red channel holds the columns, a depth without equal pixels, and holes."""
    generator = np.random.default_rng(0)
    depth = (1 + np.arange(height * width, dtype=np.float32)).reshape(height, width)
    depth[generator.random((height, width)) < share] = np.nan
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(width) % 256
    image[..., 1] = 255  # where the image is
    results = dict(img=image, img_path='some/image.jpg', gt_depth_map=depth)
    results.update(img_shape=depth.shape, ori_shape=depth.shape, seg_fields=['gt_depth_map'])
    if labels:
        results['gt_seg_map'] = generator.integers(0, 5, (height, width)).astype(np.uint8)
        results['seg_fields'] = ['gt_depth_map', 'gt_seg_map']
    return results


TRANSFORM_CASES = [
    dict(type='ResizeDepth', scale=(96, 64), method='minimal'),
    dict(type='ResizeDepth', scale=32, method='upper_bound'),
    dict(type='ResizeDepth', scale=160, method='lower_bound'),
    dict(type='RandomCropDepth', crop_size=(32, 48)),
    dict(type='RandomRotateDepth', prob=1.0, degree=5.0),
    dict(type='RandomFlip', prob=1.0),
    dict(type='RandomFlip', prob=1.0, direction='vertical'),
    dict(type='Resize', scale=(70, 50)),
    dict(type='Resize', scale=(130, 97), keep_ratio=True),
    dict(type='RandomResize', scale=(80, 60), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(32, 48)),
    dict(type='PhotoMetricDistortion'),
]


@pytest.mark.parametrize('config', TRANSFORM_CASES, ids=lambda config: config['type'])
def test_no_value_is_made_up_and_no_hole_filled(config):
    """Also for the host packages' transforms that configs may use."""
    transform = TRANSFORMS.build(dict(config))
    for seed in range(3):
        np.random.seed(seed)
        before = sample()
        after = transform({**before})
        valid = after['gt_depth_map'][np.isfinite(after['gt_depth_map'])]
        assert valid.size and np.isin(valid, before['gt_depth_map']).all()
        assert after['gt_depth_map'].dtype == np.float32
        assert after['img'].shape[:2] == after['gt_depth_map'].shape == after['img_shape']
        # a moved hole is a hole: the map of holes, moved alike, has them at the same places
        np.random.seed(seed)
        holes = np.isnan(before['gt_depth_map']).astype(np.float32)
        moved = transform({**sample(), 'gt_depth_map': holes})['gt_depth_map']
        np.testing.assert_array_equal(np.isnan(after['gt_depth_map']), moved != 0)


@pytest.mark.parametrize(
    ('size', 'method', 'expected'),
    [
        # 640 x 480 to 384: factors 0.6 and 0.8
        ((640, 480), 'minimal', (512, 384)),
        ((640, 480), 'lower_bound', (512, 384)),
        ((640, 480), 'upper_bound', (384, 288)),
        ((480, 640), 'minimal', (384, 512)),
        # KITTI's 1216 x 352: factors 0.316 and 1.091; 1326.5 / 32 = 41.45
        ((1216, 352), 'minimal', (1312, 384)),
        ((1216, 352), 'upper_bound', (384, 96)),  # 111.2 / 32 = 3.47
        # 250 x 200: factors 1.536 and 1.92; 307.2 / 32 = 9.6
        ((250, 200), 'minimal', (384, 320)),
        ((250, 200), 'upper_bound', (384, 320)),
        ((250, 200), 'lower_bound', (480, 384)),
        # equal factors change nothing but the size
        ((200, 200), 'minimal', (384, 384)),
        # 1000 x 15: 5.8 px high, the reference gives 0
        ((1000, 15), 'upper_bound', (384, 32)),
    ],
)
def test_sizes_by_hand(size, method, expected):
    assert fit_size(size, (384, 384), method) == expected


@pytest.mark.parametrize('method', ['minimal', 'lower_bound', 'upper_bound'])
def test_bounds_hold_where_the_scale_is_no_multiple(method):
    for width in range(40, 900, 37):
        for height in range(40, 900, 41):
            fitted = fit_size((width, height), (500, 300), method, 32)
            assert fitted[0] % 32 == fitted[1] % 32 == 0
            if method == 'lower_bound':
                assert fitted[0] >= 500 and fitted[1] >= 300
            if method == 'upper_bound':
                assert fitted[0] <= 500 and fitted[1] <= 300


@pytest.mark.parametrize(
    ('step', 'arguments', 'message'),
    [
        (ResizeDepth, dict(method='nearest'), "one of .*'minimal', .* got 'nearest'"),
        (ResizeDepth, dict(scale=0), 'positive, got 0 and 32'),
        (ResizeDepth, dict(scale=(384, -1)), r'positive, got \(384, -1\) and 32'),
        (ResizeDepth, dict(multiple=0), 'positive, got 384 and 0'),
        (RandomCropDepth, dict(crop_size=32, min_valid=-0.1), r'in 0\.\.1, got -0\.1'),
        (RandomCropDepth, dict(crop_size=32, min_valid=1.1), r'in 0\.\.1, got 1\.1'),
        (RandomZoomDepth, dict(scale=(0, 1)), r'two positive factors in order, got \(0, 1\)'),
        (RandomZoomDepth, dict(scale=(-1, 1)), 'two positive factors in order'),
        (RandomZoomDepth, dict(scale=(1.5, 1.2)), 'two positive factors in order'),
    ],
)
def test_setting_that_makes_no_sense(step, arguments, message):
    with pytest.raises(ValueError, match=f'must be {message}'):
        step(**arguments)


def test_image_is_resized_bicubically_and_its_size_noted():
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    results = ResizeDepth(scale=32, multiple=16)({**sample(), 'img': image})  # 32 x 42.7
    expected = cv2.resize(image, (48, 32), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(results['img'], expected)
    assert results['scale_factor'] == (48 / 80, 32 / 60)
    assert results['scale'] == (48, 32)


@pytest.mark.parametrize('scale', [32, 48, 64, 96, 160])
def test_depth_stays_where_the_image_is(scale):
    """A depth of the column's number comes from the column at the pixel's centre, unbiased."""
    before = sample(share=0)
    before['gt_depth_map'] = np.tile(np.arange(1, 81, dtype=np.float32), (60, 1))
    after = ResizeDepth(scale=scale, method='upper_bound', multiple=16)(before)
    width = after['img'].shape[1]
    centres = (np.arange(width) + 0.5) * 80 / width - 0.5
    shift = after['gt_depth_map'][0] - 1 - centres
    assert np.abs(shift).max() <= 0.5 + 1e-6
    assert abs(shift.mean()) < 0.26


def test_ground_truth_stays_at_the_original_size_in_test_pipelines():
    before = sample()
    after = ResizeDepth(scale=32, image_only=True)({**before})
    np.testing.assert_array_equal(after['gt_depth_map'], before['gt_depth_map'])
    packed = PackDepthInputs()(after)
    assert packed['inputs'].shape == (3, 32, 32)
    meta = packed['data_samples'].metainfo
    assert meta['ori_shape'] == packed['data_samples'].gt_depth_map.shape == (60, 80)
    assert meta['img_shape'] == (32, 32)


@pytest.mark.parametrize(
    ('crop', 'size', 'rows', 'columns', 'original'),
    [
        (KBCrop, (375, 1242), (23, 375), (13, 1229), (352, 1216)),  # bottom centre, evaluated on
        (NYUCrop, (480, 640), (45, 472), (43, 608), (480, 640)),  # without the white border
    ],
)
def test_fixed_crops(crop, size, rows, columns, original):
    before = sample(*size)
    after = crop()({**before})
    expected = before['gt_depth_map'][slice(*rows), slice(*columns)]
    np.testing.assert_array_equal(after['gt_depth_map'], expected)
    np.testing.assert_array_equal(after['img'][0, :, 0], np.arange(*columns) % 256)
    assert after['img_shape'] == expected.shape and after['ori_shape'] == original


def test_crop_of_another_image():
    with pytest.raises(InputError, match=r'image some/image\.jpg: crop kb needs at least 352'):
        KBCrop()(sample(351, 1242))
    with pytest.raises(InputError, match=r'image some/image\.jpg: NYUCrop is for 480 x 640'):
        NYUCrop()(sample(480, 639))


def test_crop_takes_depth_and_image_at_the_same_place():
    after = RandomCropDepth((20, 30))(sample(share=0))
    columns = (after['gt_depth_map'].astype(int) - 1) % 80
    np.testing.assert_array_equal(columns, after['img'][..., 0])


def test_crop_prefers_depth_and_ends_where_there_is_none():
    """Only the columns on the right have depth, as far from the sky as LiDAR's."""
    results = sample(share=0)
    results['gt_depth_map'][:, :50] = np.nan
    for seed in range(5):
        np.random.seed(seed)
        depth = RandomCropDepth((60, 40), min_valid=0.25)({**results})['gt_depth_map']
        assert np.isfinite(depth).mean() >= 0.25
    results['gt_depth_map'][:] = np.nan
    assert RandomCropDepth((20, 30), min_valid=1)(results)['img'].shape == (20, 30, 3)


def test_rotation_leaves_no_depth_where_there_was_no_image():
    results = RandomRotateDepth(prob=1.0, degree=(30, 30), pad_val=7)(sample(share=0, labels=True))
    new = (results['img'] == 7).all(axis=-1)
    assert new[0, 0] and new[-1, -1]
    assert np.isnan(results['gt_depth_map'][new]).all()
    assert (results['gt_seg_map'][new] == 255).mean() > 0.95  # but where both round to the edge
    assert np.isnan(results['gt_depth_map']).mean() == (results['gt_seg_map'] == 255).mean()


def test_rotation_turns_depth_with_the_image_at_its_probability():
    results = RandomRotateDepth(prob=1.0, degree=(20, 20))(sample(share=0))
    depth = results['gt_depth_map']
    inside = np.isfinite(depth) & (results['img'][..., 1] == 255)
    columns = (depth[inside].astype(int) - 1) % 80
    assert np.abs(columns - results['img'][..., 0][inside]).max() <= 1
    still = RandomRotateDepth(prob=0.0, degree=20)(sample())
    np.testing.assert_array_equal(still['gt_depth_map'], sample()['gt_depth_map'])


def test_packed_depth_owns_its_memory():
    """A crop is a view of the whole map, which would travel to the main process with it."""
    results = RandomCropDepth((20, 30))({**sample(), 'depth_map_path': 'd.png', 'focal': 500.0})
    packed = PackDepthInputs()(results)['data_samples']
    data = packed.gt_depth_map.data
    assert data.shape == (1, 20, 30)
    assert data.untyped_storage().nbytes() == 4 * 20 * 30
    assert packed.metainfo['depth_map_path'] == 'd.png'
    assert packed.metainfo['focal'] == 500


def small():
    results = sample(6, 8, share=0, labels=True)
    results['gt_depth_map'][0, 0] = np.nan
    results['gt_seg_map'][:] = 7
    return results


def zoom(factor):
    return RandomZoomDepth((factor, factor))(small())


def test_depth_is_divided_by_the_factor_and_nothing_is_interpolated():
    expected = np.repeat(np.repeat(small()['gt_depth_map'], 2, axis=0), 2, axis=1) / 2
    after = zoom(2.0)['gt_depth_map']
    np.testing.assert_array_equal(after, expected)
    assert np.isnan(after).sum() == 4 and after.dtype == np.float32
    after = zoom(0.5)
    np.testing.assert_array_equal(after['gt_depth_map'], small()['gt_depth_map'][1::2, 1::2] * 2)
    assert after['img'].shape[:2] == after['gt_depth_map'].shape
    for key in ('img', 'gt_depth_map', 'gt_seg_map'):
        np.testing.assert_array_equal(zoom(1.0)[key], small()[key])


def test_every_map_that_is_there_gets_the_size_of_the_image():
    after = zoom(1.5)
    assert after['img'].shape == (9, 12, 3)
    assert after['img_shape'] == after['gt_depth_map'].shape == after['gt_seg_map'].shape == (9, 12)
    assert (after['gt_seg_map'] == 7).all()
    after = RandomZoomDepth((2.0, 2.0))(dict(img=np.zeros((3, 4, 3), np.uint8)))
    assert after['img'].shape == (6, 8, 3)


def test_factors_are_drawn_between_the_bounds():
    np.random.seed(0)
    widths = {RandomZoomDepth((1.0, 1.5))(sample())['img'].shape[1] for _ in range(200)}
    assert min(widths) < 85 and max(widths) > 115
    assert all(80 <= width <= 120 for width in widths)
