"""The focal length of a picture: from whom, and what depth makes of it."""

import math

import numpy as np
import pytest
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.inference.focal import Camera, focal_from_exif
from mmdpt.inference.inferencer import DPTInferencer


def photograph(path, millimetres=None, size=(64, 48)):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8))
    exif = Image.Exif()
    if millimetres is not None:
        exif.get_ifd(0x8769)[0xA405] = millimetres
    image.save(path, exif=exif, quality=95)
    return str(path)


def test_exif_says_the_equivalent_on_film_of_36_x_24_mm(tmp_path):
    # a picture of 3:2 that is 36 mm wide in the camera's own way: 50 mm are 50 / 36 of its width
    wide = photograph(tmp_path / 'a.jpg', 50, (600, 400))
    assert focal_from_exif(wide) == pytest.approx(600 * 50 / 36)
    for other in (photograph(tmp_path / 'b.jpg'), photograph(tmp_path / 'c.jpg', 0), 'array 3'):
        assert focal_from_exif(other) is None
    (tmp_path / 'd.jpg').write_bytes(b'no picture')
    assert focal_from_exif(str(tmp_path / 'd.jpg')) is None


def test_what_is_given_goes_before_the_file(tmp_path):
    file = photograph(tmp_path / 'a.jpg', 50)
    assert Camera(focal=70.0).of_picture(64, file) == (70.0, 'given')
    assert Camera(field_of_view=90.0).of_picture(64, file) == (pytest.approx(32), 'field of view')
    exif = 50 / math.hypot(36, 24) * 80
    assert Camera().of_picture(64, file) == (pytest.approx(exif), 'EXIF')


def test_depth_is_proportional_to_the_focal_length_which_the_prediction_names(paths_of, tmp_path):
    def predict(picture, camera=None, *more):
        options = ['model.decode_head.canonical_focal=300', 'model.decode_head.clamp=None', *more]
        options[1] = 'model.decode_head.clamp=[None,None]'
        return DPTInferencer(*paths_of('depth'), 'cpu', cfg_options=options, camera=camera)(picture)

    file = photograph(tmp_path / 'a.jpg', 50)
    once, twice = predict(file, Camera(focal=100.0)), predict(file, Camera(focal=200.0))
    np.testing.assert_allclose(twice.map, 2 * once.map, rtol=1e-5)
    assert (once.focal, twice.focal) == ('100 px (given)', '200 px (given)')
    exif = predict(file)
    np.testing.assert_allclose(exif.map, once.map * focal_from_exif(file) / 100, rtol=1e-5)
    assert exif.focal == '92.45 px (EXIF)'
    plain = photograph(tmp_path / 'b.jpg')
    config = predict(plain, None, 'model.decode_head.focal=50')
    assert config.focal == '50 px (config)'
    with pytest.raises(InputError, match=r'needs the focal length .*--field-of-view'):
        predict(plain)
