"""Every file becomes metres with NaN where it is invalid, or an error that names it."""

import cv2
import numpy as np
import pytest
from PIL import Image
from tiny_files import write_map, write_pfm

from mmdpt.datasets.transforms.loading import LoadDepth
from mmdpt.errors import InputError

DEPTH = np.array([[0, 1000, 2500], [65535, 4000, 500]], np.uint16)
METRES = np.array([[np.nan, 1, 2.5], [np.nan, 4, 0.5]], np.float32)


def load(path, *, transform=None, **info):
    """Depth [m] of a file in millimetres beside an image of 3 x 2 px."""
    results = dict(
        img_path='some/image.jpg',
        ori_shape=(2, 3),
        depth_map_path=str(path),
        depth_scale=1000,
        invalid_values=(0, 65535),
        seg_fields=[],
    )
    results = (transform or LoadDepth())({**results, **info})
    assert results['seg_fields'] == ['gt_depth_map']
    assert results['gt_depth_map'].dtype == np.float32
    return results['gt_depth_map']


@pytest.mark.parametrize(
    ('name', 'dtype'),
    [
        ('d.png', np.uint16),
        ('d.tiff', np.uint16),
        ('d.TIF', np.int32),
        ('d.tiff', np.float32),
        ('d.tiff', np.float64),
        ('d.pfm', np.float32),
        ('d.npy', np.uint16),
        ('d.npy', np.float64),
        ('d.npy', np.float32),
    ],
)
def test_formats_agree(tmp_path, name, dtype):
    """The largest value is depth unless it is listed; an axis of one channel is dropped."""
    path = write_map(tmp_path / name.lower(), DEPTH.astype(dtype))
    path = path.rename(tmp_path / name)
    np.testing.assert_array_equal(load(path), METRES)
    depth = load(path, invalid_values=())
    assert depth[1, 0] == np.float32(65.535) and np.isnan(depth[0, 0])
    for values in (DEPTH[None], DEPTH[..., None]):
        np.testing.assert_array_equal(load(write_map(tmp_path / 'axis.npy', values)), METRES)


@pytest.mark.parametrize('order', ['<', '>'])
def test_pfm_rows_run_upwards_and_its_scale_is_only_a_sign(tmp_path, order):
    write_pfm(tmp_path / 'd.pfm', DEPTH, order, scale=0.25)
    np.testing.assert_array_equal(load(tmp_path / 'd.pfm'), METRES)
    cv2.imwrite(str(tmp_path / 'd.pfm'), DEPTH.astype(np.float32))
    np.testing.assert_array_equal(load(tmp_path / 'd.pfm'), METRES)


@pytest.mark.parametrize('invalid', [0, -1, -0.0, np.inf, -np.inf, np.nan, 1e10])
def test_every_invalid_value_is_nan(tmp_path, invalid):
    values = np.full((2, 3), 2000, np.float32)
    values[1, 2] = invalid
    depth = load(write_map(tmp_path / 'd.npy', values), invalid_values=(1e10,))
    assert np.isnan(depth[1, 2])
    assert (np.delete(depth.ravel(), 5) == 2).all()


def test_mask_makes_invalid_unless_it_is_of_another_size(tmp_path):
    mask = write_map(tmp_path / 'm.png', np.array([[255, 0, 1], [255, 255, 0]], np.uint8))
    depth = load(write_map(tmp_path / 'd.png', DEPTH), depth_mask_path=str(mask))
    np.testing.assert_array_equal(depth, [[np.nan, np.nan, 2.5], [np.nan, 4, np.nan]])
    mask = write_map(tmp_path / 'm.png', np.full((3, 3), 255, np.uint8))
    with pytest.raises(InputError, match=r'mask .*m\.png is 3 x 3 px, its image .* 3 x 2 px'):
        load(write_map(tmp_path / 'd.png', DEPTH), depth_mask_path=str(mask))


@pytest.mark.parametrize(
    ('file', 'options', 'metres'),
    [
        ('kitti_sample/depth/0000000100.png', dict(depth_scale=256), lambda v: v / 256),
        ('zeroshot_sample/tum/depth/slambook_1.png', dict(depth_scale=5000), lambda v: v / 5000),
        (  # 8 bits: pixels x 4, focal length and baseline unknown
            'zeroshot_sample/middlebury/disparity/cone.png',
            *(dict(is_disparity=True, depth_scale=4), lambda v: 4 / v),
        ),
        (  # a Kinect's, where 65535 is no depth
            'indoor_rgbd/raw_7scenes_example/frame-000850.depth.png',
            *(dict(), lambda v: np.where(v == 65535, np.nan, v / 1000)),
        ),
    ],
    ids=['KITTI', 'TUM', 'Middlebury', '7 Scenes'],
)
def test_real_files_of_public_sets(data_root, file, options, metres):
    values = np.asarray(Image.open(data_root / file)).astype(np.float64)
    values[values == 0] = np.nan
    depth = load(data_root / file, ori_shape=values.shape, **options)
    np.testing.assert_allclose(depth, metres(values), rtol=1e-6)
    assert np.isnan(depth).any() and np.isfinite(depth).mean() > 0.1


@pytest.mark.parametrize('name', ['d.png', 'd.tiff', 'd.pfm', 'd.npy'])
@pytest.mark.parametrize('kept', [None, 0, 'half', 'text'])
def test_missing_or_broken_file_is_named(tmp_path, name, kept):
    values = np.random.default_rng(0).uniform(1000, 9000, (200, 300))
    path = write_map(tmp_path / name, values.astype(np.float32 if name == 'd.pfm' else np.uint16))
    data = path.read_bytes()
    content = {0: b'', 'half': data[: len(data) // 2], 'text': b'no depth'}
    path.unlink() if kept is None else path.write_bytes(content[kept])
    with pytest.raises(InputError, match=rf'cannot read depth file .*{name}'):
        load(path, ori_shape=(200, 300))
    with pytest.raises(InputError, match=r'd\.mat must end in one of \.png, \.tif'):
        load(path.with_suffix('.mat'))


@pytest.mark.parametrize(
    ('name', 'values', 'message'),
    [
        ('d.png', np.full((2, 3), 90, np.uint8), r'd\.png has 8 bits \(uint8\): expected 16 bits'),
        ('d.png', np.full((2, 3, 3), 90, np.uint8), r'has shape \(2, 3, 3\): expected one channel'),
        ('d.npy', DEPTH.astype(np.complex64), r'd\.npy holds complex64: expected real numbers'),
        ('d.png', DEPTH[:, :2], r'd\.png is 2 x 2 px, its image some/image\.jpg 3 x 2 px'),
        ('d.pfm', b'Pf\n3 2\n-1.0\n' + b'0' * 20, r'd\.pfm: 5 numbers for 3 x 2'),
        ('d.pfm', b'PF\n3 2\n-1.0\n' + b'0' * 72, r'shape \(2, 3, 3\): expected one channel'),
    ],
)
def test_values_that_are_no_depth(tmp_path, name, values, message):
    path = tmp_path / name
    path.write_bytes(values) if isinstance(values, bytes) else write_map(path, values)
    with pytest.raises(InputError, match=message):
        load(path)


def test_map_without_a_valid_pixel_and_one_with_one_of_many(tmp_path):
    path = write_map(tmp_path / 'd.png', np.where(DEPTH > 0, 65535, 0).astype(np.uint16))
    with pytest.raises(InputError, match=r'd\.png has no valid pixel'):
        load(path)
    assert np.isnan(load(path, transform=LoadDepth(allow_empty=True))).all()
    depth = np.zeros((100, 123), np.uint16)  # the median is that of some pixels, or else of all
    depth[50, 61] = 2000
    loaded = load(write_map(path, depth), ori_shape=depth.shape)
    assert np.isfinite(loaded).sum() == 1 and loaded[50, 61] == 2


@pytest.mark.parametrize(('scale', 'median'), [(1, 1750), (1e6, 0.00175)])
def test_scale_that_cannot_be_right(tmp_path, scale, median):
    path = write_map(tmp_path / 'd.png', DEPTH)
    with pytest.raises(InputError, match=rf'd\.png has a median depth of {median} m: is depth_sc'):
        load(path, depth_scale=scale)
    assert np.isfinite(load(path, depth_scale=scale, transform=LoadDepth(None))).sum() == 4
