"""What is written comes back, and every array is a picture or an error, whatever its numbers."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.datasets.transforms import LoadDepth
from mmdpt.errors import InputError
from mmdpt.inference.images import as_rgb, decode_image
from mmdpt.inference.png import write_map_png
from mmdpt.inference.prediction import Prediction

SEEDS = st.integers(0, 2**32 - 1).map(np.random.default_rng)
MODES = ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'I', 'I;16', 'F', 'CMYK', 'YCbCr', 'HSV')
SIZES = st.tuples(st.integers(1, 97), st.integers(1, 97))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('written')


@given(random=SEEDS, size=SIZES)
def test_every_float_comes_back_from_a_pfm_nan_and_denormal_too(folder, random, size):
    bits = random.integers(2**32, size=size, dtype=np.uint32)
    values = bits.view(np.float32)
    Prediction(np.zeros((*size, 3), np.uint8), 'a', values, 'relative').save(folder / 'a.pfm')
    found = read_depth_file(str(folder / 'a.pfm'))
    np.testing.assert_array_equal(found, values)
    assert (found.view(np.uint32)[~np.isnan(values)] == bits[~np.isnan(values)]).all()


@given(random=SEEDS, size=SIZES, top=st.floats(-30, 30), share=st.sampled_from([0.0, 0.5, 1.0]))
def test_depth_comes_back_from_a_png_to_half_a_millimetre(folder, random, size, top, share):
    depth = (10 ** random.uniform(-30, top, size)).astype(np.float32)
    depth[random.random(size) > share] = random.choice([np.nan, 0, -1])
    with np.testing.suppress_warnings() as warnings:
        warnings.filter(UserWarning, 'depth beyond 65.534 m')
        write_map_png(folder / 'a.png', depth, 'm')
    numbers = np.asarray(Image.open(folder / 'a.png'))
    valid = depth > 0
    assert (numbers[~valid] == 0).all() and (numbers[valid] > 0).all()
    inside = np.clip(depth[valid].astype(np.float64), 0.001, 65.535)
    np.testing.assert_allclose(numbers[valid] / 1000, inside, rtol=0, atol=0.0005000001)


@given(
    random=SEEDS,
    size=SIZES,
    low=st.floats(-30, 30),
    spread=st.floats(-8, 8),
    unit=st.sampled_from(['', '1/m']),
)
def test_disparity_comes_back_from_a_png_to_half_a_step(folder, random, size, low, spread, unit):
    values = 10**low * (1 + 10**spread * random.random(size)).astype(np.float32)
    missing = random.random(size) < random.choice([0, 0.5])
    values = np.where(missing, np.float32(np.nan), values.astype(np.float32))
    if np.isnan(values).all():
        with pytest.raises(InputError, match='no finite number'):
            write_map_png(folder / 'a.png', values, unit)
        return
    write_map_png(folder / 'a.png', values, unit)
    picture = Image.open(folder / 'a.png')
    step, offset = float(picture.text['scale']), float(picture.text['offset'])
    read = offset + step * np.asarray(picture).astype(np.float64)
    valid = ~np.isnan(values)
    close = 0.5001 * step + 1e-12 * np.nanmax(np.abs(values))
    np.testing.assert_allclose(read[valid], values[valid].astype(np.float64), rtol=0, atol=close)
    assert int(picture.text['missing']) == (~valid).sum()


@given(
    random=SEEDS,
    size=SIZES,
    scale=st.floats(-30, 30).map(lambda x: 10**x),
    disparity=st.booleans(),
    dtype=st.sampled_from([np.uint16, np.int32, np.float16, np.float32, np.float64]),
)
def test_loaded_depth_is_the_definition_or_nan(folder, random, size, scale, disparity, dtype):
    """In float64: value / scale or scale / value, NaN where that is no positive float32."""
    values = 10 ** random.uniform(-30, 30, size)
    if np.issubdtype(dtype, np.integer):
        values = random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, size)
    else:
        values *= random.choice([-1, 0, 1, np.inf, np.nan], size, p=[0.1, 0.1, 0.6, 0.1, 0.1])
    with np.errstate(over='ignore'):
        values = values.astype(dtype)
    np.save(folder / 'a.npy', values)
    loader = LoadDepth(median_range=None, allow_empty=True)
    found = loader.transform(
        dict(
            img_path='a.jpg',
            depth_map_path=str(folder / 'a.npy'),
            depth_scale=scale,
            is_disparity=disparity,
        )
    )['gt_depth_map']
    assert found.dtype == np.float32
    assert not ((found <= 0) | np.isinf(found)).any()
    with np.errstate(all='ignore'):
        exact = (
            scale / values.astype(np.float64) if disparity else values.astype(np.float64) / scale
        )
    ordinary = (exact > 1e-37) & (exact < 1e38) & (np.abs(values.astype(np.float64)) > 1e-37)
    np.testing.assert_allclose(found[ordinary], exact[ordinary], rtol=3e-7)
    assert np.isnan(found[~(values > 0) | np.isinf(values)]).all()


SHAPES = st.one_of(
    SIZES,
    st.tuples(st.integers(1, 97), st.integers(1, 97), st.integers(1, 5)),
    st.lists(st.integers(0, 3), max_size=4).map(tuple),
)


@given(
    random=SEEDS,
    shape=SHAPES,
    dtype=st.sampled_from([*'?bBhHiIlLefdFOSU']),
    top=st.floats(-30, 30),
    order=st.sampled_from(['rgb', 'bgr']),
    tensor=st.booleans(),
)
def test_array_is_a_picture_or_an_error(random, shape, dtype, top, order, tensor):
    with np.errstate(all='ignore'):
        array = (10**top * random.random(shape)).astype(dtype)
    if tensor and dtype in '? b B h H i l e f d':
        array = torch.from_numpy(np.asarray(array))
    try:
        picture = as_rgb(array, order)
    except InputError as error:
        assert 'expected' in str(error)
        return
    assert picture.dtype == np.uint8 and picture.flags.c_contiguous
    assert dtype in 'BHefd' and picture.shape[2:] == (3,) and picture.size


@given(random=SEEDS, size=SIZES, mode=st.sampled_from(MODES))
def test_pillow_image_is_the_picture_that_its_png_is(random, size, mode):
    levels = random.integers(256, size=(*size, 4), dtype=np.uint8)
    if mode in ('I', 'I;16', 'F'):
        values = levels[..., 0].astype(np.uint16) * 257
        image = Image.fromarray(values if mode == 'I;16' else values.astype(np.int32))
        image = Image.fromarray((values / 65535).astype(np.float32)) if mode == 'F' else image
    else:
        image = Image.fromarray(levels, 'RGBA').convert('RGB').convert(mode)
    picture = as_rgb(image)
    assert picture.shape == (*size, 3) and picture.dtype == np.uint8
    if mode in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'I;16'):
        file = io.BytesIO()
        image.save(file, 'PNG')
        np.testing.assert_array_equal(decode_image(file.getvalue(), 'a.png'), picture)
