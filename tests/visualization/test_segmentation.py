"""Pictures of label maps."""

import numpy as np

from mmdpt.visualization import colourise, segmentation_panel
from mmdpt.visualization.legend import LINE_HEIGHT, class_legend
from mmdpt.visualization.segmentation import label_errors, overlay_with_classes
from mmdpt.visualization.tiling import GAP

PALETTE = [[255, 0, 0], [0, 255, 0]]


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
    assert panel.shape == (2, 4 * 3 + 3 * 4, 3)
    assert (panel[:, :3] == image).all()
    assert (panel[:, 7:10] == [255, 0, 0]).all()
    assert (panel[:, 14:17] == [0, 255, 0]).all()
    assert (panel[:, 21:] == [230, 30, 60]).all()
    assert (panel[:, 3:7] == 255).all()
    assert segmentation_panel(image, None, prediction, PALETTE).shape == (2, 2 * 3 + 4, 3)


def test_right_is_faded_wrong_is_red_and_ignored_is_black():
    """Faded: 255 - 0.35 (255 - 55) = 185; ignored is what no class has, predicted or not."""
    image = np.full((1, 5, 3), 55, np.uint8)
    truth = np.array([[0, 1, 255, 255, 2]], np.uint8)
    prediction = np.array([[0, 0, 1, 255, 1]], np.uint8)
    picture = label_errors(image, truth, prediction, num_classes=2)
    assert picture.tolist() == [[[185] * 3, [230, 30, 60], [0] * 3, [0] * 3, [0] * 3]]
