"""Tables: DPT's six zero-shot sets, and variants compared image by image."""

import json

import numpy as np
import pytest

from mmdpt.evaluation.ablation import ablation_table, read_errors
from mmdpt.evaluation.zero_shot import PUBLISHED, SETS, zero_shot_table

WHOLE = {s.name: s.images for s in SETS}


def cells(table):
    return [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in table.splitlines()
        if line.startswith('|')
    ]


def test_columns_and_published_rows_are_those_of_the_paper():
    assert [s.name for s in SETS] == ['diw', 'eth3d', 'sintel', 'kitti', 'nyu', 'tum']
    head, _, _, *rows = cells(zero_shot_table('mine', {}, {}))
    assert head[1:] == [
        *('DIW WHDR [%]', 'ETH3D AbsRel', 'Sintel AbsRel'),
        *('KITTI δ > 1.25 [%]', 'NYU δ > 1.25 [%]', 'TUM δ > 1.25 [%]'),
    ]
    assert rows == [
        ['DPT-Large, MIX 6', '10.82', '0.089', '0.270', '8.46', '8.32', '9.97'],
        ['DPT-Hybrid, MIX 6', '11.06', '0.093', '0.274', '11.56', '8.69', '10.89'],
        ['MiDaS, MIX 6', '12.95', '0.116', '0.329', '16.08', '8.71', '12.51'],
        ['MiDaS, MIX 5', '12.46', '0.129', '0.327', '23.90', '9.55', '14.29'],
    ]
    assert all(len(row) == len(SETS) for row in PUBLISHED.values())


def test_own_row_stands_first_and_other_images_than_the_paper_s_are_said():
    table = zero_shot_table('mine', {'nyu': 8.3251, 'sintel': 0.26951}, WHOLE)
    assert cells(table)[2] == ['**mine**', '-', '-', '0.270', '-', '8.33', '-']
    assert 'arXiv:2103.13413, Table 1; not measured here' in table
    assert 'Another number' not in table and 'At most' not in table
    table = zero_shot_table('mine', {'kitti': 9.0, 'nyu': 8.0}, {'kitti': 652, 'nyu': 654})
    assert 'than the paper: KITTI 652 (paper: 161).' in table
    table = zero_shot_table('mine', {'nyu': 8.0}, {'nyu': 5}, limit=5)
    assert 'At most the first 5 images of each set: no figure of a whole set.' in table


def test_images_without_depth_are_left_out(tmp_path):
    file = tmp_path / 'errors.jsonl'
    first = dict(img_path='a', valid_pixels=3, abs_rel=0.1, d1=0.9, rmse=1.0)
    file.write_text('\n'.join(map(json.dumps, [first, dict(img_path='b', valid_pixels=0)])))
    np.testing.assert_array_equal(read_errors(file), [[0.1, 0.9, 1.0]])


def test_a_constant_change_is_certain_however_hard_the_images():
    """0.02 worse on every image is 0.02 worse on every resample."""
    base = np.array([[0.1, 0.9, 1.0], [0.5, 0.5, 3.0]])
    worse = base + np.array([0.02, 0, 0])
    table = ablation_table({'base': base, 'worse': worse}, 'base').splitlines()
    assert table[2] == '| base | 0.3000 | - | 0.700 | 2.00 |'
    assert table[3] == '| worse | 0.3200 | +0.0200 (+0.0200 to +0.0200) | 0.700 | 2.00 |'
    with pytest.raises(ValueError):
        ablation_table({'base': np.zeros((2, 3)), 'other': np.zeros((3, 3))}, 'base')
