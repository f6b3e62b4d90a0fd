"""Crops are exact at the sizes that the protocols were defined on."""

import numpy as np
import pytest

from mmdpt.evaluation.crops import crop_slices


@pytest.mark.parametrize(
    ('name', 'size', 'rows', 'columns'),
    [
        ('nyu', (480, 640), (45, 471), (41, 601)),
        ('garg', (375, 1242), (153, 371), (44, 1197)),
        ('garg', (352, 1216), (143, 349), (43, 1172)),
        # as monodepth's code computes; its comment says [-218, -3, 44, 1180]
        ('garg', (370, 1224), (151, 366), (43, 1180)),
        ('eigen', (375, 1242), (124, 342), (44, 1197)),
        ('eigen', (352, 1216), (117, 321), (43, 1172)),
        ('kb', (375, 1242), (23, 375), (13, 1229)),
        ('kb', (376, 1241), (24, 376), (12, 1228)),
        ('kb', (352, 1216), (0, 352), (0, 1216)),
        ('kb-garg', (375, 1242), (166, 372), (56, 1185)),
        ('kb-garg', (352, 1216), (143, 349), (43, 1172)),
    ],
)
def test_exact_at_reference_sizes(name, size, rows, columns):
    assert crop_slices(name, *size) == (slice(*rows), slice(*columns))


def test_slices_index_a_map():
    crop = np.zeros((480, 640))[crop_slices('nyu', 480, 640)]
    assert crop.shape == (426, 560)


@pytest.mark.parametrize(
    ('name', 'size', 'message'),
    [
        ('nyu_crop', (480, 640), "one of nyu, garg, eigen, kb, kb-garg, got 'nyu_crop'"),
        ('nyu', (240, 320), 'nyu is defined for 480 x 640 pixels, got 240 x 320'),
        ('kb', (351, 1216), 'kb needs at least 352 x 1216 pixels, got 351 x 1216'),
        ('kb', (352, 1215), 'kb needs at least 352 x 1216 pixels, got 352 x 1215'),
        ('garg', (1, 1242), 'garg leaves nothing of 1 x 1242 pixels'),
        ('eigen', (375, 1), 'eigen leaves nothing of 375 x 1 pixels'),
    ],
)
def test_undefined(name, size, message):
    with pytest.raises(ValueError, match=message):
        crop_slices(name, *size)
