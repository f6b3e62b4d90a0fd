"""PFM files are what other readers expect."""

import struct

import cv2
import numpy as np
import pytest

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.errors import InputError
from mmdpt.inference.pfm import write_pfm

VALUES = np.array([[1.5, np.inf, -3], [4, np.nan, 1e-30]], np.float32)


def test_bytes_by_hand_which_opencv_and_we_read(tmp_path):
    path = tmp_path / 'a.pfm'
    numbers = struct.pack('<6f', 4, np.nan, 1e-30, 1.5, np.inf, -3)  # the bottom row first
    for same in (VALUES, np.asfortranarray(VALUES.astype('>f8'))):
        write_pfm(path, same)
        assert path.read_bytes() == b'Pf\n3 2\n-1.000000\n' + numbers
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), VALUES)
    np.testing.assert_array_equal(read_depth_file(str(path)), VALUES, strict=True)


def test_one_channel_may_have_an_axis(tmp_path):
    values = np.arange(6.0).reshape(2, 3, 1)
    write_pfm(tmp_path / 'a.pfm', values)
    np.testing.assert_array_equal(read_depth_file(str(tmp_path / 'a.pfm')), values[..., 0])


@pytest.mark.parametrize('shape', [(4,), (1, 2, 2)])
def test_array_of_other_axes_is_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r'holds \(H, W\), got shape'):
        write_pfm(tmp_path / 'a.pfm', np.zeros(shape))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'Pf\n3 2\n-1.0\n' + bytes(20), r'a\.pfm: 5 numbers for 3 x 2'),
        (b'PF\n3 2\n-1.0\n' + bytes(72), r'shape \(2, 3, 3\): expected one channel'),
    ],
)
def test_wrong_file_is_named(tmp_path, content, message):
    (tmp_path / 'a.pfm').write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_depth_file(str(tmp_path / 'a.pfm'))
