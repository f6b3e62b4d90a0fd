"""Zooming keeps image and depth in register and divides the depth by the factor."""

import numpy as np
import pytest

from mmdpt.datasets.transforms import RandomZoomDepth


def sample(height=6, width=8):
    depth = np.arange(height * width, dtype=np.float32).reshape(height, width) + 1
    depth[0, 0] = np.nan
    return dict(
        img=np.nan_to_num(np.stack([depth * 2] * 3, axis=-1)).astype(np.uint8),
        gt_depth_map=depth,
        gt_seg_map=np.full((height, width), 7, np.uint8),
        seg_fields=['gt_depth_map', 'gt_seg_map'],
    )


def zoom(factor):
    return RandomZoomDepth((factor, factor))(sample())


def test_depth_is_divided_by_the_factor_and_nothing_is_interpolated():
    expected = np.repeat(np.repeat(sample()['gt_depth_map'], 2, axis=0), 2, axis=1) / 2
    after = zoom(2.0)['gt_depth_map']
    np.testing.assert_array_equal(after, expected)
    assert np.isnan(after).sum() == 4 and after.dtype == np.float32


def test_depth_is_divided_by_a_factor_below_one():
    after = zoom(0.5)
    np.testing.assert_array_equal(after['gt_depth_map'], sample()['gt_depth_map'][1::2, 1::2] * 2)
    assert after['img'].shape[:2] == after['gt_depth_map'].shape


def test_every_map_gets_the_size_of_the_image():
    after = zoom(1.5)
    assert after['img'].shape == (9, 12, 3)
    assert after['img_shape'] == after['gt_depth_map'].shape == after['gt_seg_map'].shape == (9, 12)
    assert (after['gt_seg_map'] == 7).all()


def test_factor_one_changes_nothing():
    for key in ('img', 'gt_depth_map', 'gt_seg_map'):
        np.testing.assert_array_equal(zoom(1.0)[key], sample()[key])


def test_factors_are_drawn_between_the_bounds():
    np.random.seed(0)
    widths = {RandomZoomDepth((1.0, 1.5))(sample(60, 80))['img'].shape[1] for _ in range(200)}
    assert min(widths) < 85 and max(widths) > 115
    assert all(80 <= width <= 120 for width in widths)


def test_an_image_without_depth_is_zoomed_alone():
    after = RandomZoomDepth((2.0, 2.0))(dict(img=np.zeros((3, 4, 3), np.uint8)))
    assert after['img'].shape == (6, 8, 3)


@pytest.mark.parametrize('scale', [(0, 1), (-1, 1), (1.5, 1.2)])
def test_factors_that_make_no_sense_are_refused(scale):
    with pytest.raises(ValueError, match='two positive factors in order'):
        RandomZoomDepth(scale)
