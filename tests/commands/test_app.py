"""What the page does with a picture, without a server; the browser is in nightly/test_app.py."""

import os
import sys
import time

import numpy as np
import pytest
from PIL import Image

from mmdpt.apis import DPTInferencer
from mmdpt.commands.app.page import EXAMPLE_SIZE, Page, Shown, render_examples
from mmdpt.commands.app.server import serve
from mmdpt.errors import InputError
from mmdpt.inference.prediction import Prediction

RELATIVE = "model['depth_head'].update(output='relative', max_depth=None, clamp=(None, None))\n"


@pytest.fixture(scope='module')
def joint(written):
    return DPTInferencer(*written('joint', RELATIVE, name='joint-relative'), device='cpu')


@pytest.fixture
def page(joint, tmp_path):
    (tmp_path / 'written').mkdir()
    return Page(joint, tmp_path / 'written')


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / 'noise.png'
    values = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(values).save(path)
    return str(path)


def two_pixels(values):
    """A near pixel and a far one of a relative map, as (column, row)."""
    for position in (values.argmax(), values.argmin()):
        row, column = np.unravel_index(position, values.shape)
        yield int(column), int(row)


def test_known_points_turn_a_relative_map_into_metres_and_a_mesh(page, picture):
    shown = page.predict(picture, 60)
    values = shown.prediction.map
    assert page.camera(shown) == 'noise: 64 x 48 px, focal length 55.43 px (field of view)'
    assert page.value(shown) == 'Click a pixel to read its value.'
    assert page.mesh(shown)[0] is None and 'align it to known points' in page.mesh(shown)[1]
    for (column, row), metres in zip(two_pixels(values), (1.5, 6.0), strict=True):
        shown = shown._replace(pixel=(column, row))
        said = f'Column {column}, row {row}: **{values[row, column]:.4g} (relative disparity'
        assert page.value(shown).startswith(said) or shown.points
        shown = page.add_point(shown, metres)
    name = shown.prediction.classes[shown.prediction.labels[row, column]]
    assert page.value(shown) == f'Column {column}, row {row}: **6 m, {name}**'
    path, why_not = page.mesh(shown)
    assert path.endswith('noise_mesh.glb') and not why_not
    again = page.add_point(shown, 7.0)  # the same pixel: its depth is corrected
    assert len(again.points) == 2 and page.value(again).split('**')[1].startswith('7 m')


def test_pictures_show_the_map_with_its_bar_and_every_class(page, picture):
    shown = page.predict(picture)._replace(pixel=(20, 10))
    drawn, plain = page.depth_picture(shown), shown.prediction.colour_map()
    assert drawn.shape[1] == 64 and drawn.shape[0] > 48
    marked = (drawn[:48] != plain).any(axis=-1)
    rows, columns = np.nonzero(marked)
    assert 0 < marked.sum() < 200
    assert (rows.mean(), columns.mean()) == pytest.approx((10, 20), abs=1)
    image, masks = page.masks(shown)
    np.testing.assert_array_equal(image, shown.prediction.image)
    assert np.sum([mask for mask, _ in masks], axis=0).min() == 1
    assert {name for _, name in masks} <= set(page.colours)
    image, labels = np.zeros((10, 4000, 3), np.uint8), np.zeros((10, 4000), np.uint8)
    wide = Prediction(image, 'wide', labels=labels, classes=('a',))
    assert page.masks(Shown(wide, wide))[0].shape == (2, 960, 3)
    assert page.depth_picture(Shown(wide, wide)) is None


def test_every_kind_of_file_is_written_and_old_ones_go(page, picture):
    shown = page.predict(picture, 60)
    shown = shown._replace(prediction=shown.predicted)
    names = {os.path.basename(path) for path in page.write(shown, ['colour', 'npy'])}
    endings = ('colour.jpg', 'overlay.jpg', 'relative.npy', 'labels.npy')
    assert names == {f'noise_{ending}' for ending in endings}
    (old,) = page.folder.iterdir()
    os.utime(old, (0, time.time() - 4000))
    with pytest.raises(InputError, match='noise predicts relative disparity'):
        page.write(shown, page.kinds)
    assert old not in page.folder.iterdir()


def test_wrong_point_is_refused_and_an_error_names_no_folder_of_an_upload(page, picture, tmp_path):
    shown = page.predict(picture)
    with pytest.raises(InputError, match='click a pixel first'):
        page.add_point(shown, 2.0)
    for metres in (None, float('nan')):
        with pytest.raises(InputError, match='depth must be positive'):
            page.add_point(shown._replace(pixel=(1, 1)), metres)
    (tmp_path / 'text.png').write_text('no picture')
    with pytest.raises(InputError, match=r'^text\.png is no image'):
        page.predict(str(tmp_path / 'text.png'))


def test_examples_say_their_focal_length(joint, page, tmp_path):
    paths = render_examples(tmp_path, 1)
    prediction = page.predict(*paths).prediction
    assert prediction.image.shape == (*EXAMPLE_SIZE[::-1], 3)
    assert prediction.camera.fx == pytest.approx(320 * np.sqrt(3), rel=2e-3)
    assert '(EXIF)' in prediction.focal


def test_missing_gradio_is_named_before_the_model_is_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    monkeypatch.setattr(os, 'environ', dict(os.environ))
    monkeypatch.setattr('signal.signal', lambda *_: None)
    with pytest.raises(InputError, match=r"needs Gradio: pip install 'mmdpt\[app\]'"):
        serve(lambda: pytest.fail('loaded'))
