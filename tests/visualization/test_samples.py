"""Pictures of label maps, and of samples: image | labels | depth."""

import numpy as np
import pytest
import tiny
import torch

from mmdpt.visualization import colourise, segmentation_panel
from mmdpt.visualization.depth import LEGEND_HEIGHT
from mmdpt.visualization.legend import LINE_HEIGHT, class_legend
from mmdpt.visualization.samples import sample_panel, stack_panels
from mmdpt.visualization.segmentation import label_errors, overlay_with_classes
from mmdpt.visualization.tiling import GAP

PALETTE = [[255, 0, 0], [0, 255, 0]]
CLASSES = dict(classes=('wall', 'sky'), palette=PALETTE)


def packed(labels=None, depth=None, size=(60, 300)):
    """A grey image, (3, *size), with blue (BGR) in its first row."""
    inputs = torch.full((3, *size), 100, dtype=torch.uint8)
    inputs[:, 0] = torch.tensor([200, 0, 0], dtype=torch.uint8)[:, None]
    known = (each if each is None else torch.as_tensor(each)[None] for each in (labels, depth))
    return dict(inputs=inputs, data_samples=tiny.sample(*known))


def test_panel_of_labels_names_its_classes_in_their_colours():
    labels = np.zeros((60, 300), np.int64)
    labels[:, 150:] = 255
    panel = sample_panel(packed(labels), CLASSES)
    assert panel.shape == (60 + LINE_HEIGHT, 2 * 300 + GAP, 3)
    assert panel[0, 0].tolist() == [0, 0, 200]  # RGB now
    expected = overlay_with_classes(panel[:60, :300], labels, *CLASSES.values())
    np.testing.assert_array_equal(panel[:, 300 + GAP :], expected)


def test_panel_of_depth_is_black_where_there_is_none():
    depth = np.linspace(1, 5, 60 * 300, dtype=np.float32).reshape(60, 300)
    depth[:20] = np.nan
    panel = sample_panel(packed(depth=depth), {})
    assert panel.shape == (60 + LEGEND_HEIGHT, 2 * 300 + GAP, 3)
    assert (panel[:20, 300 + GAP :] == 0).all()
    assert (panel[20:60, 300 + GAP :].sum(axis=2)[:, :150] > 0).all()
    panel = sample_panel(packed(depth=np.full_like(depth, np.nan)), {})
    assert panel.shape == (60, 2 * 300 + GAP, 3)  # no scale
    assert (panel[:, 300 + GAP :] == 0).all()


def test_panel_of_both_has_three_columns_and_targets_are_brought_to_the_size_of_the_image():
    labels = np.array([[0, 1]]).repeat(120, 0).repeat(300, 1)
    panel = sample_panel(packed(labels, np.ones((120, 600), np.float32)), CLASSES)
    assert panel.shape == (60 + LEGEND_HEIGHT, 3 * 300 + 2 * GAP, 3)
    shown = panel[1:60, 300 + GAP : 600 + GAP]
    mixed = int(0.7 * 255 + 0.3 * 100)
    assert (shown[:, :150] == [mixed, 30, 30]).all() and (shown[:, 150:] == [30, mixed, 30]).all()
    shown = sample_panel(packed(labels + 3), {})[:60, 300 + GAP :]  # without classes: by number
    assert len(np.unique(shown[30], axis=0)) == 2


@pytest.mark.parametrize(('width', 'expected'), [(None, 240), (60, 60), (500, 500)])
def test_width_of_a_column(width, expected):
    panel = sample_panel(packed(np.zeros((60, 80), int), size=(60, 80)), CLASSES, width)
    assert panel.shape[1] == 2 * expected + GAP


def test_stacked_panels_keep_their_pixels():
    wide, narrow = np.full((5, 90, 3), 7, np.uint8), np.full((8, 60, 3), 9, np.uint8)
    page = stack_panels([('a', wide), ('b', narrow)])
    assert page.shape == (2 * LINE_HEIGHT + 5 + 8 + GAP, 90, 3)
    assert (page[LINE_HEIGHT : LINE_HEIGHT + 5] == 7).all()
    start = 2 * LINE_HEIGHT + 5 + GAP
    assert (page[start : start + 8, :60] == 9).all() and (page[start:, 60:] == 255).all()


def test_classes_take_their_colour_and_other_values_stripes():
    """Also beyond 256 classes, and below zero: neither a black nor a white class looks so."""
    palette = [[255, 0, 0], [0, 255, 0], *[[0, 0, 0]] * 297, [9, 8, 7]]
    picture = colourise(np.array([[0, 1, 255, 299, -1, 300, 65535]]), palette)
    stripes = [[0] * 3, [9, 8, 7], *[[255] * 3] * 3]
    assert picture.tolist() == [[*palette[:2], *stripes]]


def test_classes_of_an_overlay_are_those_in_it():
    labels = np.array([[0, 0, 255]]).repeat(40, axis=0).repeat(40, axis=1)
    image = np.full((40, 120, 3), 100, np.uint8)
    picture = overlay_with_classes(image, labels, ('first', 'second'), PALETTE)
    assert picture.shape == (40 + 2 * LINE_HEIGHT, 120, 3)
    assert picture[0, 0].tolist() == [int(0.7 * 255 + 0.3 * 100), 30, 30]
    assert [picture[0, x].tolist() for x in (119, 114)] == [[208] * 3, [30] * 3]
    legend = picture[40:].reshape(-1, 3).tolist()
    assert PALETTE[0] in legend and PALETTE[1] not in legend


def test_class_legend_begins_a_line_where_one_is_full():
    names = [(f'class {k}', (10 * k, 200, 10)) for k in range(1, 9)]
    wide, narrow = class_legend(names, 2000), class_legend(names, 90)
    assert wide.shape == (LINE_HEIGHT, 2000, 3) and narrow.shape == (8 * LINE_HEIGHT, 90, 3)
    squares = narrow[LINE_HEIGHT // 2 :: LINE_HEIGHT, GAP].tolist()
    assert squares == [list(colour) for _, colour in names]


def test_panel_holds_image_truth_prediction_and_error_in_this_order():
    image = np.full((2, 3, 3), 100, np.uint8)
    truth, prediction = np.zeros((2, 3), int), np.ones((2, 3), int)
    panel = segmentation_panel(image, truth, prediction, PALETTE, alpha=1.0)
    columns = [[100] * 3, PALETTE[0], PALETTE[1], [230, 30, 60]]
    expected = np.concatenate([[[column] * 3 + [[255] * 3] * 4] * 2 for column in columns], axis=1)
    np.testing.assert_array_equal(panel, expected[:, :-4])
    assert segmentation_panel(image, None, prediction, PALETTE).shape == (2, 2 * 3 + 4, 3)


def test_right_is_faded_wrong_is_red_and_ignored_is_black():
    """Faded: 255 - 0.35 (255 - 55) = 185; ignored is what no class has, predicted or not."""
    image = np.full((1, 5, 3), 55, np.uint8)
    truth = np.array([[0, 1, 255, 255, 2]], np.uint8)
    prediction = np.array([[0, 0, 1, 255, 1]], np.uint8)
    picture = label_errors(image, truth, prediction, num_classes=2)
    assert picture.tolist() == [[[185] * 3, [230, 30, 60], [0] * 3, [0] * 3, [0] * 3]]
