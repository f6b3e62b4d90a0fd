"""Labels have names and colours."""

import numpy as np
import pytest

from mmdpt.inference.labels import classes_and_palette


def test_names_and_colours_are_the_data_set_s():
    meta = dict(classes=['a', 'b'], palette=[[1, 2, 3], np.array([4, 5, 6])])
    assert classes_and_palette(meta, 2) == (('a', 'b'), ((1, 2, 3), (4, 5, 6)))


@pytest.mark.parametrize('meta', [None, dict(classes=('a',), palette=[[1, 2, 3]])])
def test_classes_without_a_name_have_numbers_and_colours_of_their_own(meta):
    classes, palette = classes_and_palette(meta, 3)
    assert classes == ('class 0', 'class 1', 'class 2')
    assert len(set(palette)) == 3 and palette == classes_and_palette(meta, 3)[1]
