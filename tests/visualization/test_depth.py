"""Pictures of depth maps."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from matplotlib import colormaps

from mmdpt.visualization import colourise_depth, depth_panel
from mmdpt.visualization.depth import LEGEND_HEIGHT, colour_bar, colour_range
from mmdpt.visualization.tiling import GAP


def test_equal_depths_have_equal_colours_in_truth_and_prediction():
    truth = np.linspace(1, 5, 100 * 120).reshape(100, 120)
    truth[:10] = np.nan
    prediction = np.where(np.isnan(truth), 3.0, truth)
    panel = depth_panel(np.zeros((100, 120, 3), np.uint8), truth, prediction)
    assert panel.shape == (134, 4 * 120 + 3 * 4, 3)
    left, right, error = (panel[:100, x : x + 120] for x in (124, 248, 372))
    assert (left[10:] == right[10:]).all()
    assert (left[:10] == 0).all() and (error[:10] == 0).all()
    zero_error = (np.array(colormaps['inferno'](0.0)[:3]) * 255).round()
    assert (error[10:] == zero_error).all()


def test_colours_are_matplotlibs_ends_those_of_what_is_beyond_and_nan_is_black():
    values = np.random.default_rng(0).uniform(-0.5, 1.5, (50, 60))
    values[0, :3] = -np.inf, np.inf, np.nan
    expected = (colormaps['magma_r'](np.clip(values, 0, 1))[..., :3] * 255).round()
    expected[0, 2] = 0
    np.testing.assert_array_equal(colourise_depth(values, 0, 1), expected)


def test_range_is_that_of_the_finite_values_if_there_are_any():
    values = np.append(np.arange(101.0), [np.nan, np.inf, -np.inf])
    assert colour_range(values) == (2, 98)
    with pytest.raises(ValueError, match='the map holds no finite number'):
        colour_range(np.array([np.nan, np.inf]))


@pytest.mark.parametrize('unit', ['1/m', 'relative disparity'])
def test_what_is_near_looks_alike_in_depth_and_disparity(unit):
    depth = np.linspace(1, 5, 300)[None].repeat(50, axis=0)
    image = np.zeros((50, 300, 3), np.uint8)
    panels = [depth_panel(image, None, values, of) for values, of in ((depth, 'm'), (-depth, unit))]
    assert all(panel.shape == (84, 2 * 300 + 4, 3) for panel in panels)
    maps = [panel[:50, 304:].astype(int) for panel in panels]
    assert np.abs(maps[0] - maps[1]).max() <= 4  # a step of the colours, by rounding
    assert maps[0][0, 0].sum() > 600 > 100 > maps[0][0, -1].sum()


@pytest.fixture
def written(monkeypatch):
    """Texts that are drawn, each with its first and last column [px]."""
    texts = []

    def write(canvas, text, place, font, scale, *rest):
        text_width = cv2.getTextSize(text, font, scale, 1)[0][0]
        texts.append((place[0], place[0] + text_width, text))

    monkeypatch.setattr('mmdpt.visualization.depth.cv2.putText', write)
    return texts


@pytest.mark.parametrize(
    ('low', 'high', 'expected'),
    [
        (1.5, 2.9, ['1.50', '1.85', '2.20', '2.55', '2.90 x']),
        (1500, 2900, ['1500', '1850', '2200', '2550', '2900 x']),
        (0, 4, ['0.0', '1.0', '2.0', '3.0', '4.0 x']),
        (-40, 0, ['-40', '-30', '-20', '-10', '0 x']),
        (0, 4e-8, ['0', '1e-08', '2e-08', '3e-08', '4e-08 x']),
        (0, 4e7, ['0', '1e+07', '2e+07', '3e+07', '4e+07 x']),
        (3, 3, ['3', '3', '3', '3', '3 x']),
    ],
)
def test_numbers_below_the_bar(written, low, high, expected):
    assert colour_bar(600, (low, high, 'magma', 'x')).shape == (LEGEND_HEIGHT, 600, 3)
    assert [text for *_, text in sorted(written)] == expected


@pytest.mark.parametrize('width', [240, 300, 400, 600])
def test_numbers_do_not_run_into_each_other_or_the_words(written, width):
    colour_bar(width, (1.5, 2.9, 'magma', 'relative disparity'))
    written.sort()
    assert len(written) >= 2
    assert written[0][2] == '1.50' and written[-1][2] == '2.90 relative disparity'
    for (_, end, _), (start, _, _) in pairwise(written):
        assert end + GAP <= start


def test_words_say_what_the_numbers_are(written):
    image = np.zeros((5, 400, 3), np.uint8)
    for unit in ('m', '1/m', 'relative disparity'):
        depth_panel(image, None, np.full((5, 400), 3.0), unit)
    words = [text for *_, text in written if text != '3']
    assert words == ['3 [m]', '3 [1/m]', '3 relative disparity']
