"""PFM files are what other readers expect, and are read from either byte order."""

import struct

import cv2
import numpy as np
import pytest

from mmdpt.errors import InputError
from mmdpt.inference.pfm import read_pfm, write_pfm

VALUES = np.array([[1.5, 2, -3], [4, 0.25, 1e-30]], np.float32)


def test_bytes_by_hand(tmp_path):
    write_pfm(tmp_path / 'a.pfm', VALUES)
    numbers = struct.pack('<6f', 4, 0.25, 1e-30, 1.5, 2, -3)  # the bottom row first
    assert (tmp_path / 'a.pfm').read_bytes() == b'Pf\n3 2\n-1.000000\n' + numbers


def test_opencv_reads_the_same(tmp_path):
    write_pfm(tmp_path / 'a.pfm', VALUES)
    read = cv2.imread(str(tmp_path / 'a.pfm'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, VALUES)


def test_numbers_come_back_nan_and_infinity_too(tmp_path):
    values = VALUES.copy()
    values[0] = np.nan, np.inf, -np.inf
    write_pfm(tmp_path / 'a.pfm', values)
    read = read_pfm(tmp_path / 'a.pfm')
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values)


def test_big_endian_numbers_in_any_memory_layout_are_written_alike(tmp_path):
    write_pfm(tmp_path / 'a.pfm', VALUES)
    write_pfm(tmp_path / 'b.pfm', np.asfortranarray(VALUES.astype('>f8')))
    assert (tmp_path / 'a.pfm').read_bytes() == (tmp_path / 'b.pfm').read_bytes()


def test_positive_scale_is_big_endian(tmp_path):
    numbers = struct.pack('>6f', 4, 5, 6, 1, 2, 3)
    (tmp_path / 'a.pfm').write_bytes(b'Pf\n3 2\n1.0\n' + numbers)
    assert read_pfm(tmp_path / 'a.pfm').tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize('shape', [(4,), (1, 2, 2)])
def test_array_of_other_axes_is_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r'holds \(H, W\), got shape'):
        write_pfm(tmp_path / 'a.pfm', np.zeros(shape))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r'cannot read .*none\.pfm'):
        read_pfm(tmp_path / 'none.pfm')


def test_other_suffix_is_named(tmp_path):
    with pytest.raises(InputError, match=r'a\.npy does not end in \.pfm'):
        read_pfm(tmp_path / 'a.npy')


def test_file_cut_short_is_named(tmp_path):
    write_pfm(tmp_path / 'a.pfm', VALUES)
    data = (tmp_path / 'a.pfm').read_bytes()
    (tmp_path / 'a.pfm').write_bytes(data[:-4])
    with pytest.raises(InputError, match=r'a\.pfm: 5 numbers for 3 x 2'):
        read_pfm(tmp_path / 'a.pfm')


def test_colour_file_is_named(tmp_path):
    (tmp_path / 'a.pfm').write_bytes(b'PF\n3 2\n-1.0\n' + bytes(4 * 18))
    with pytest.raises(InputError, match=r'a\.pfm has shape \(2, 3, 3\): expected one channel'):
        read_pfm(tmp_path / 'a.pfm')
