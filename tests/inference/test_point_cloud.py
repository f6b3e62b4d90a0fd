"""Points lie where a pinhole camera sees them, and stand in the PLY with their colours."""

import math
import os

import numpy as np
import pytest

from mmdpt.errors import InputError
from mmdpt.inference.point_cloud import Intrinsics, PointCloud

NAN = math.nan
CAMERA = Intrinsics(fx=100, fy=50, cx=1, cy=0.5)
DEPTH = np.array([[2, 4, 6], [10, 20, 30]], np.float32)
IMAGE = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


def test_points_by_hand():
    cloud = PointCloud.from_depth(DEPTH, IMAGE, CAMERA)
    expected = [
        # (column - 1) / 100 * z, (row - 0.5) / 50 * z, z
        [-0.02, -0.02, 2],
        [0, -0.04, 4],
        [0.06, -0.06, 6],
        [-0.1, 0.1, 10],
        [0, 0.2, 20],
        [0.3, 0.3, 30],
    ]
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


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: PointCloud.from_depth(DEPTH * 0, IMAGE, CAMERA), 'no pixel has a positive depth'),
        *[
            (
                lambda wrong=wrong: PointCloud.from_depth(DEPTH, IMAGE, CAMERA._replace(**wrong)),
                'focal lengths must be positive, numbers finite',
            )
            for wrong in (dict(fx=0), dict(fy=-50), dict(fx=NAN), dict(cx=math.inf), dict(cy=NAN))
        ],
        *[
            (
                lambda degrees=degrees: Intrinsics.from_field_of_view(degrees, 640, 480),
                'field of view must be between 0 and 180 degrees, got',
            )
            for degrees in (0, -60, 180, 360, NAN)
        ],
    ],
)
def test_impossible_camera_or_depth_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_right_angle_sees_as_far_to_the_sides_as_ahead():
    camera = Intrinsics.from_field_of_view(90, width=640, height=480)
    np.testing.assert_allclose(camera, (320, 320, 319.5, 239.5))
    # the outer edges of the first and the last pixel
    assert (-0.5 - camera.cx) / camera.fx == pytest.approx(-1)
    assert (639.5 - camera.cx) / camera.fx == pytest.approx(1)


def test_field_of_view_of_a_known_camera():
    """NYU's Kinect: 518.86 px of 640 px; 2 atan(320 / 518.86) = 63.33 degrees."""
    camera = Intrinsics.from_field_of_view(63.33, 640, 480)
    assert camera.fx == pytest.approx(518.86, abs=0.1)


def test_file_holds_axes_points_and_colours(tmp_path):
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


def test_other_suffix_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(InputError, match=r'a\.pcd: a point cloud is saved as \.ply'):
        PointCloud.from_depth(DEPTH, IMAGE, CAMERA).save(tmp_path / 'a.pcd')
    assert os.listdir(tmp_path) == []
