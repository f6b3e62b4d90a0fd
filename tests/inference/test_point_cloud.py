"""Points lie where a pinhole camera sees them, and another reader finds them in the PLY."""

import math
import os

import numpy as np
import pytest

from mmdpt.errors import InputError
from mmdpt.inference.point_cloud import Intrinsics, PointCloud

CAMERA = Intrinsics(fx=100, fy=50, cx=1, cy=0.5)
DEPTH = np.array([[2, 4, 6], [10, 20, 30]], np.float32)
IMAGE = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


def read_ply(path):
    """Read a PLY by its own header, into one array a property."""
    data = path.read_bytes()
    header, _, body = data.partition(b'end_header\n')
    lines = header.decode('ascii').splitlines()
    assert lines[0] == 'ply'
    order = {'binary_little_endian': '<', 'binary_big_endian': '>'}[lines[1].split()[1]]
    kinds = {'float': 'f4', 'double': 'f8', 'uchar': 'u1', 'int': 'i4'}
    fields, count = [], None
    for line in lines[2:]:
        words = line.split()
        if words[0] == 'element':
            assert words[1] == 'vertex' and count is None
            count = int(words[2])
        elif words[0] == 'property':
            fields.append((words[2], order + kinds[words[1]]))
        else:
            assert words[0] == 'comment'
    vertices = np.frombuffer(body, np.dtype(fields))
    assert len(vertices) == count
    return {name: vertices[name] for name, _ in fields}


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


def test_no_depth_at_all_is_refused():
    with pytest.raises(InputError, match='no pixel has a positive depth'):
        PointCloud.from_depth(np.full((2, 3), np.nan), IMAGE, CAMERA)


@pytest.mark.parametrize(
    'wrong', [dict(fx=0), dict(fy=-50), dict(fx=math.nan), dict(cx=math.inf), dict(cy=math.nan)]
)
def test_impossible_camera_is_refused(wrong):
    with pytest.raises(InputError, match='focal lengths must be positive, numbers finite'):
        PointCloud.from_depth(DEPTH, IMAGE, CAMERA._replace(**wrong))


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


@pytest.mark.parametrize('degrees', [0, -60, 180, 360, math.nan])
def test_impossible_field_of_view_is_refused(degrees):
    with pytest.raises(InputError, match='field of view must be between 0 and 180 degrees, got'):
        Intrinsics.from_field_of_view(degrees, 640, 480)


def test_another_reader_finds_points_and_colours(tmp_path):
    cloud = PointCloud.from_depth(DEPTH, IMAGE, CAMERA)
    cloud.save(tmp_path / 'a.ply')
    read = read_ply(tmp_path / 'a.ply')
    assert list(read) == ['x', 'y', 'z', 'red', 'green', 'blue']
    for k, name in enumerate('xyz'):
        np.testing.assert_array_equal(read[name], cloud.points[:, k])
    for k, name in enumerate(('red', 'green', 'blue')):
        np.testing.assert_array_equal(read[name], cloud.colours[:, k])


def test_file_says_its_unit_and_axes(tmp_path):
    PointCloud.from_depth(DEPTH, IMAGE, CAMERA).save(tmp_path / 'a.PLY')
    assert b'comment metres, x right, y down, z forward' in (tmp_path / 'a.PLY').read_bytes()


def test_other_suffix_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(InputError, match=r'a\.pcd: a point cloud is saved as \.ply'):
        PointCloud.from_depth(DEPTH, IMAGE, CAMERA).save(tmp_path / 'a.pcd')
    assert os.listdir(tmp_path) == []
