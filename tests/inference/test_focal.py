"""The focal length of a picture: from whom, and what depth makes of it."""

import math

import numpy as np
import pytest
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.inference.focal import Camera, focal_from_exif
from mmdpt.inference.inferencer import DPTInferencer
from mmdpt.inference.point_cloud import Intrinsics


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


def test_what_is_given_goes_before_the_file_and_that_before_the_config(tmp_path):
    file, plain = photograph(tmp_path / 'a.jpg', 50), photograph(tmp_path / 'b.jpg')

    def found(camera, source, default=None):
        intrinsics, origin = camera.of_picture(64, 48, source, default)
        return None if intrinsics is None else pytest.approx(intrinsics), origin

    given, exif = Intrinsics(70, 71, 30, 20), 50 / math.hypot(36, 24) * 80
    assert found(Camera(given), file) == (given, 'given')
    assert found(Camera(None, 90.0), file) == ((32, 32, 31.5, 23.5), 'field of view')
    assert found(Camera(), file, 60) == ((exif, exif, 31.5, 23.5), 'EXIF')
    assert found(Camera(), plain, 60) == ((60, 60, 31.5, 23.5), 'config')
    assert found(Camera(), plain) == (None, '')


def test_impossible_camera_is_refused_at_once():
    with pytest.raises(InputError, match=r'between 0 and 180 degrees, got 180\.0'):
        Camera(None, 180.0)
    with pytest.raises(InputError, match='focal lengths must be positive'):
        Camera(Intrinsics(0, 1, 0, 0), None)
    with pytest.raises(InputError, match='either intrinsics or a field of view, not both'):
        Camera(Intrinsics(1, 1, 0, 0), 60.0)


def test_depth_is_proportional_to_the_focal_length_which_the_prediction_names(paths_of, tmp_path):
    def predict(picture, camera=None, *more):
        options = ['canonical_focal=300', 'clamp=[None,None]', *more]
        options = [f'model.decode_head.{option}' for option in options]
        return DPTInferencer(*paths_of('depth'), 'cpu', cfg_options=options, camera=camera)(picture)

    file = photograph(tmp_path / 'a.jpg', 50)
    once, twice = (predict(file, Camera(Intrinsics(f, f, 0, 0))) for f in (100, 200))
    np.testing.assert_allclose(twice.map, 2 * once.map, rtol=1e-5)
    assert (once.focal, twice.focal) == ('100 px (given)', '200 px (given)')
    exif = predict(file)
    np.testing.assert_allclose(exif.map, once.map * focal_from_exif(file) / 100, rtol=1e-5)
    assert exif.focal == '92.45 px (EXIF)'
    assert exif.camera == pytest.approx((focal_from_exif(file),) * 2 + (31.5, 23.5))
    assert len(exif.to_pointcloud().points) == 64 * 48
    plain = photograph(tmp_path / 'b.jpg')
    assert predict(plain, None, 'focal=50').focal == '50 px (config)'
    with pytest.raises(InputError, match=r'needs the focal length .*--field-of-view'):
        predict(plain)
