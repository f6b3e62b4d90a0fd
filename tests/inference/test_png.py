"""What a PNG's numbers mean stands in it, and inverts to what was predicted."""

import json
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.inference.png import write_labels_png, write_map_png


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
def test_disparity_fills_the_range_and_inverts(tmp_path, unit):
    disparity = np.random.default_rng(0).uniform(-3, 500, (20, 30)).astype(np.float32)
    write_map_png(tmp_path / 'a.png', disparity, unit)
    numbers = numbers_of(tmp_path / 'a.png')
    assert (numbers.min(), numbers.max()) == (0, 65535)
    assert numbers.ravel().argmax() == disparity.ravel().argmax()
    np.testing.assert_allclose(inverted(tmp_path / 'a.png'), disparity, atol=503 / 65535 / 1.99)
    assert text_of(tmp_path / 'a.png')['unit'] == (unit or 'relative disparity')


def test_missing_disparity_does_not_move_the_range_and_a_constant_inverts(tmp_path):
    values = np.array([[np.nan, 1, 3, np.inf, -np.inf]], np.float32)
    write_map_png(tmp_path / 'a.png', values, '')
    assert numbers_of(tmp_path / 'a.png').tolist() == [[0, 0, 65535, 65535, 0]]
    assert text_of(tmp_path / 'a.png')['missing'] == '1'
    write_map_png(tmp_path / 'b.png', np.full((2, 3), 7.5, np.float32), '')
    np.testing.assert_array_equal(inverted(tmp_path / 'b.png'), np.full((2, 3), 7.5))


def test_disparity_of_no_finite_number_is_named(tmp_path):
    with pytest.raises(InputError, match=r'a\.png: the map holds no finite number'):
        write_map_png(tmp_path / 'a.png', np.full((2, 3), np.nan, np.float32), '')


@pytest.mark.parametrize(('dtype', 'greatest'), [(np.uint8, 255), (np.uint16, 1000)])
def test_labels_keep_their_values_and_number_type(tmp_path, dtype, greatest):
    labels = np.array([[0, 1], [2, greatest]], dtype)
    write_labels_png(tmp_path / 'a.png', labels, ('wall', 'Straße'))
    numbers = numbers_of(tmp_path / 'a.png')
    assert numbers.dtype == dtype
    np.testing.assert_array_equal(numbers, labels)
    assert json.loads(text_of(tmp_path / 'a.png')['classes']) == ['wall', 'Straße']
