"""Files of a prediction: PFM and PNG that others read, and points as a pinhole camera sees them."""

import json
import math
import os
import struct
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.errors import InputError
from mmdpt.inference.png import write_labels_png, write_map_png
from mmdpt.inference.point_cloud import Intrinsics, PointCloud
from mmdpt.inference.prediction import Prediction

VALUES = np.array([[1.5, np.inf, -3], [4, np.nan, 1e-30]], np.float32)


def test_bytes_by_hand_which_opencv_and_we_read(tmp_path):
    path = tmp_path / 'a.pfm'
    numbers = struct.pack('<6f', 4, np.nan, 1e-30, 1.5, np.inf, -3)  # the bottom row first
    for same in (VALUES, np.asfortranarray(VALUES.astype('>f8'))):
        Prediction(np.zeros((2, 3, 3), np.uint8), 'a', same, 'relative').save(path)
        assert path.read_bytes() == b'Pf\n3 2\n-1\n' + numbers
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), VALUES)
    np.testing.assert_array_equal(read_depth_file(str(path)), VALUES, strict=True)


def numbers_of(path):
    """16-bit numbers by OpenCV, which must agree with PIL."""
    numbers = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), numbers)
    return numbers


def text_of(path):
    with Image.open(path) as image:
        return image.text


def inverted(path):
    """Values by what the file says of itself."""
    text = text_of(path)
    return float(text['offset']) + float(text['scale']) * numbers_of(path)


@pytest.mark.filterwarnings('error')
def test_depth_is_in_millimetres_and_zero_where_there_is_none(tmp_path):
    depth = np.array([[1.2344, 1.2346, 65.534, 1e-5], [np.nan, 0, -1, 3.5]], np.float32)
    write_map_png(tmp_path / 'a.png', depth, 'm')
    numbers = numbers_of(tmp_path / 'a.png')
    assert numbers.dtype == np.uint16
    assert numbers.tolist() == [[1234, 1235, 65534, 1], [0, 0, 0, 3500]]  # 1: not "none"
    np.testing.assert_allclose(inverted(tmp_path / 'a.png')[1, 3], 3.5)
    assert text_of(tmp_path / 'a.png')['unit'] == 'm'


@pytest.mark.parametrize('far', [65.5346, 65.536, 500, np.inf])
def test_depth_that_does_not_fit_is_the_greatest_number_with_a_warning(tmp_path, far):
    with pytest.warns(UserWarning, match=r'beyond 65\.534 m does not fit') as caught:
        write_map_png(tmp_path / 'a.png', np.array([[far, 2, far]], np.float32), 'm')
    assert len(caught) == 1
    assert numbers_of(tmp_path / 'a.png').tolist() == [[65535, 2000, 65535]]
    assert '65535: 65.535 m or more' in text_of(tmp_path / 'a.png')['Description']


def test_warning_is_said_once_for_many_files(tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('default')
        for k in range(3):
            write_map_png(tmp_path / f'{k}.png', np.array([[99.0]], np.float32), 'm')
    assert len(caught) == 1


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('unit', ['1/m', ''])
def test_finite_disparity_fills_the_range_and_inverts_a_constant_too(tmp_path, unit):
    values = np.array([[np.nan, 501, -3, np.inf, -np.inf, 123]], np.float32)
    write_map_png(tmp_path / 'a.png', values, unit)
    assert numbers_of(tmp_path / 'a.png').tolist() == [[0, 65535, 0, 65535, 0, 16384]]
    np.testing.assert_allclose(
        inverted(tmp_path / 'a.png')[0, [1, 2, 5]], [501, -3, 123], atol=504 / 65535 / 1.99
    )
    text = text_of(tmp_path / 'a.png')
    assert (text['missing'], text['unit']) == ('1', unit or 'relative disparity')
    write_map_png(tmp_path / 'b.png', np.full((2, 3), 7.5, np.float32), unit)
    np.testing.assert_array_equal(inverted(tmp_path / 'b.png'), np.full((2, 3), 7.5))


@pytest.mark.parametrize(('dtype', 'greatest'), [(np.uint8, 255), (np.uint16, 1000)])
def test_labels_keep_their_values_and_number_type(tmp_path, dtype, greatest):
    labels = np.array([[0, 1], [2, greatest]], dtype)
    write_labels_png(tmp_path / 'a.png', labels, ('wall', 'Straße'))
    numbers = numbers_of(tmp_path / 'a.png')
    assert numbers.dtype == dtype
    np.testing.assert_array_equal(numbers, labels)
    assert json.loads(text_of(tmp_path / 'a.png')['classes']) == ['wall', 'Straße']


NAN = math.nan
CAMERA = Intrinsics(fx=100, fy=50, cx=1, cy=0.5)
DEPTH = np.array([[2, 4, 6], [10, 20, 30]], np.float32)
IMAGE = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


def test_points_by_hand():
    """(column - 1) / 100 * z, (row - 0.5) / 50 * z, z."""
    cloud = PointCloud.from_depth(DEPTH, IMAGE, CAMERA)
    upper = [[-0.02, -0.02, 2], [0, -0.04, 4], [0.06, -0.06, 6]]
    expected = [*upper, [-0.1, 0.1, 10], [0, 0.2, 20], [0.3, 0.3, 30]]
    assert cloud.points.dtype == np.float32
    np.testing.assert_allclose(cloud.points, expected, rtol=1e-6)
    np.testing.assert_array_equal(cloud.colours, IMAGE.reshape(6, 3))


@pytest.mark.parametrize('missing', [np.nan, np.inf, 0, -1])
def test_pixel_without_depth_is_left_out_with_its_colour(missing):
    depth = DEPTH.copy()
    depth[0, 1] = missing
    cloud = PointCloud.from_depth(depth, IMAGE, CAMERA)
    assert cloud.points[:, 2].tolist() == [2, 6, 10, 20, 30]
    assert cloud.colours[:, 0].tolist() == [0, 6, 9, 12, 15]


def test_impossible_camera_or_depth_is_refused():
    with pytest.raises(InputError, match='no pixel has a positive depth'):
        PointCloud.from_depth(DEPTH * 0, IMAGE, CAMERA)
    for wrong in (dict(fx=0), dict(fy=-50), dict(fx=NAN), dict(cx=math.inf), dict(cy=NAN)):
        with pytest.raises(InputError, match='focal lengths must be positive, numbers finite'):
            PointCloud.from_depth(DEPTH, IMAGE, CAMERA._replace(**wrong))
    for degrees in (0, -60, 180, 360, NAN):
        with pytest.raises(InputError, match='field of view must be between 0 and 180 degrees'):
            Intrinsics.from_field_of_view(degrees, 640, 480)


def test_right_angle_sees_as_far_to_the_sides_as_ahead():
    camera = Intrinsics.from_field_of_view(90, width=640, height=480)
    np.testing.assert_allclose(camera, (320, 320, 319.5, 239.5))
    # the outer edges of the first and the last pixel
    assert (-0.5 - camera.cx) / camera.fx == pytest.approx(-1)
    assert (639.5 - camera.cx) / camera.fx == pytest.approx(1)


def test_file_holds_axes_points_and_colours_and_another_suffix_is_refused(tmp_path):
    """The whole header, and the vertices by its types."""
    cloud = PointCloud.from_depth(DEPTH, IMAGE, CAMERA)
    cloud.save(tmp_path / 'a.PLY')
    header, _, body = (tmp_path / 'a.PLY').read_bytes().partition(b'end_header\n')
    assert header.decode('ascii').splitlines() == [
        'ply',
        'format binary_little_endian 1.0',
        'comment metres, x right, y down, z forward from the camera',
        'element vertex 6',
        *(f'property float {name}' for name in 'xyz'),
        *(f'property uchar {name}' for name in ('red', 'green', 'blue')),
    ]
    vertices = np.frombuffer(body, np.dtype([('points', '<f4', 3), ('colours', 'u1', 3)]))
    np.testing.assert_array_equal(vertices['points'], cloud.points)
    np.testing.assert_array_equal(vertices['colours'], cloud.colours)
    with pytest.raises(InputError, match=r'a\.pcd: a point cloud is saved as \.ply'):
        cloud.save(tmp_path / 'a.pcd')
    assert os.listdir(tmp_path) == ['a.PLY']
