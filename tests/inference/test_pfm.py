"""PFM files are what other readers expect, and are read from either byte order."""

import struct

import cv2
import numpy as np
import pytest

from mmdpt.errors import InputError
from mmdpt.inference.pfm import read_pfm, write_pfm

VALUES = np.array([[1.5, np.inf, -3], [4, np.nan, 1e-30]], np.float32)


def test_bytes_by_hand_which_opencv_and_we_read(tmp_path):
    path = tmp_path / 'a.pfm'
    numbers = struct.pack('<6f', 4, np.nan, 1e-30, 1.5, np.inf, -3)  # the bottom row first
    for same in (VALUES, np.asfortranarray(VALUES.astype('>f8'))):
        write_pfm(path, same)
        assert path.read_bytes() == b'Pf\n3 2\n-1.000000\n' + numbers
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), VALUES)
    assert read_pfm(path).dtype == np.float32
    np.testing.assert_array_equal(read_pfm(path), VALUES)


def test_positive_scale_is_big_endian(tmp_path):
    numbers = struct.pack('>6f', 4, 5, 6, 1, 2, 3)
    (tmp_path / 'a.pfm').write_bytes(b'Pf\n3 2\n1.0\n' + numbers)
    assert read_pfm(tmp_path / 'a.pfm').tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize('shape', [(4,), (1, 2, 2)])
def test_array_of_other_axes_is_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r'holds \(H, W\), got shape'):
        write_pfm(tmp_path / 'a.pfm', np.zeros(shape))


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.pfm', None, r'cannot read .*a\.pfm'),
        ('a.npy', b'', r'a\.npy does not end in \.pfm'),
        ('a.pfm', b'Pf\n3 2\n-1.0\n' + bytes(20), r'a\.pfm: 5 numbers for 3 x 2'),
        ('a.pfm', b'PF\n3 2\n-1.0\n' + bytes(72), r'shape \(2, 3, 3\): expected one channel'),
    ],
)
def test_wrong_file_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_pfm(tmp_path / name)
