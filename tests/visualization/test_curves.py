"""Curves of training runs."""

import numpy as np
import pytest
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.visualization.curves import plot_curves
from mmdpt.visualization.logs import Curve

BLUE, ORANGE = (31, 119, 180), (255, 127, 14)


def run(level, measured=False):
    steps = np.arange(1, 6) * 10
    return {'loss': Curve(steps, np.full(5, float(level)), measured)}


def count(path, colour):
    picture = np.asarray(Image.open(path).convert('RGB')).reshape(-1, 3)
    return int((picture == colour).all(axis=1).sum())


def test_every_run_has_its_colour(tmp_path):
    one, two = tmp_path / 'one.png', tmp_path / 'two.png'
    plot_curves({'a': run(1), 'without the key': {}}, ['loss'], one)
    plot_curves({'a': run(1), 'b': run(2)}, ['loss'], two)
    assert count(one, BLUE) > 50 and count(one, ORANGE) == 0
    assert count(two, BLUE) > 50 and count(two, ORANGE) > 50


def test_every_key_has_its_panel(tmp_path):
    curves = {**run(1), **{f'd{k}': run(k)['loss'] for k in (1, 2, 3)}}
    sizes = []
    for number in (1, 2, 3, 4):
        plot_curves({'a': curves}, list(curves)[:number], tmp_path / 'a.png')
        sizes.append(Image.open(tmp_path / 'a.png').size)
    assert sizes == [(600, 408), (1200, 408), (1800, 408), (1800, 816)]


def test_validations_have_dots(tmp_path):
    """A flat line is less than 3 px high, a dot more."""
    heights = []
    for measured in (False, True):
        plot_curves({'a': run(1, measured)}, ['loss'], tmp_path / 'a.png')
        picture = np.asarray(Image.open(tmp_path / 'a.png').convert('RGB'))
        heights.append(int((picture == BLUE).all(axis=2).any(axis=1).sum()))
    assert heights[0] < 3 < heights[1]


def test_training_values_are_smoothed_and_validations_are_not(tmp_path):
    values = np.array([1.0, 3.0, 2.0, 5.0, 1.0])
    for measured in (False, True):
        curve = Curve(np.arange(1, 6), values, measured)
        pictures = []
        for window in (1, 3):
            plot_curves({'a': {'loss': curve}}, ['loss'], tmp_path / 'a.png', window)
            pictures.append(np.asarray(Image.open(tmp_path / 'a.png')))
        assert (pictures[0] == pictures[1]).all() == measured


def test_lone_training_value_is_seen(tmp_path):
    curve = Curve(np.array([10]), np.array([1.0]), False)
    plot_curves({'a': {'loss': curve}}, ['loss'], tmp_path / 'a.png')
    assert count(tmp_path / 'a.png', BLUE) > 10


@pytest.mark.parametrize(('suffix', 'start'), [('.pdf', b'%PDF'), ('.svg', b'<?xml')])
def test_format_is_the_suffix(tmp_path, suffix, start):
    path = tmp_path / 'new' / f'a{suffix}'
    plot_curves({'a': run(1)}, ['loss'], path)
    assert path.read_bytes().startswith(start)


def test_picture_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r'cannot write .*a\.txt: pictures end in'):
        plot_curves({'a': run(1)}, ['loss'], tmp_path / 'a.txt')
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=r'cannot write .*file/a\.png'):
        plot_curves({'a': run(1)}, ['loss'], tmp_path / 'file' / 'a.png')
    assert [path.name for path in tmp_path.iterdir()] == ['file']
