"""Labels are those of mmseg's full-resolution maps."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmdpt.inference.labels import CLASSES_AT_ONCE, classes_and_palette, label_map


@pytest.mark.parametrize('num_classes', [2, CLASSES_AT_ONCE, CLASSES_AT_ONCE + 1, 150])
@pytest.mark.parametrize('align_corners', [False, True])
def test_labels_are_the_arg_max_of_all_maps(num_classes, align_corners):
    torch.manual_seed(0)
    logits = torch.randn(num_classes, 6, 9)
    labels = label_map(logits, dict(ori_shape=(31, 20)), align_corners)
    full = F.interpolate(logits[None], (31, 20), mode='bilinear', align_corners=align_corners)
    assert torch.equal(labels, full[0].argmax(dim=0))
    assert labels.unique().numel() > 1


def test_of_equal_classes_the_first_is_taken():
    logits = torch.zeros(3 * CLASSES_AT_ONCE, 2, 2)
    logits[CLASSES_AT_ONCE - 1] = logits[CLASSES_AT_ONCE + 2] = 1
    labels = label_map(logits, dict(ori_shape=(4, 4)), False)
    assert labels.unique().tolist() == [CLASSES_AT_ONCE - 1]


def test_padding_and_flip_are_undone():
    """Columns 0 1 of the flipped picture, the third is padding."""
    logits = torch.eye(3)[None].permute(2, 0, 1)  # pixel i of one row is of class i
    meta = dict(ori_shape=(1, 2), flip=True, flip_direction='horizontal', padding_size=[0, 1, 0, 0])
    assert label_map(logits, meta, False).tolist() == [[1, 0]]


def test_one_channel_is_a_probability_against_the_threshold():
    """sigmoid(-1, 0.5, 2) = 0.27, 0.62, 0.88."""
    logits = torch.tensor([[[-1.0, 0.5, 2.0]]])
    meta = dict(ori_shape=(1, 3))
    assert label_map(logits, meta, False, 0.3).tolist() == [[0, 1, 1]]
    assert label_map(logits, meta, False, 0.7).tolist() == [[0, 0, 1]]


def test_names_and_colours_are_the_data_set_s():
    meta = dict(classes=['a', 'b'], palette=[[1, 2, 3], np.array([4, 5, 6])])
    assert classes_and_palette(meta, 2) == (('a', 'b'), ((1, 2, 3), (4, 5, 6)))


@pytest.mark.parametrize('meta', [None, dict(classes=('a',), palette=[[1, 2, 3]])])
def test_classes_without_a_name_have_numbers_and_colours_of_their_own(meta):
    classes, palette = classes_and_palette(meta, 3)
    assert classes == ('class 0', 'class 1', 'class 2')
    assert len(set(palette)) == 3 and palette == classes_and_palette(meta, 3)[1]
