"""Variants are compared image by image."""

import json

import numpy as np
import pytest

from mmdpt.evaluation.ablation import ablation_table, read_errors


def test_images_without_depth_are_left_out(tmp_path):
    file = tmp_path / 'errors.jsonl'
    rows = [
        dict(img_path='a', valid_pixels=3, abs_rel=0.1, d1=0.9, rmse=1.0),
        dict(img_path='b', valid_pixels=0),
    ]
    file.write_text('\n'.join(map(json.dumps, rows)))
    np.testing.assert_array_equal(read_errors(file), [[0.1, 0.9, 1.0]])


def test_a_constant_change_is_certain_however_hard_the_images():
    """0.02 worse on every image is 0.02 worse on every resample."""
    base = np.array([[0.1, 0.9, 1.0], [0.5, 0.5, 3.0]])
    worse = base + np.array([0.02, 0, 0])
    table = ablation_table({'base': base, 'worse': worse}, 'base').splitlines()
    assert table[2] == '| base | 0.3000 | - | 0.700 | 2.00 |'
    assert table[3] == '| worse | 0.3200 | +0.0200 (+0.0200 to +0.0200) | 0.700 | 2.00 |'


def test_different_images_cannot_be_compared():
    with pytest.raises(ValueError):
        ablation_table({'base': np.zeros((2, 3)), 'other': np.zeros((3, 3))}, 'base')
