"""Ordinal pairs travel from DIW's list to WHDR."""

import pytest
import torch
from tiny_files import write_image

from mmdpt.datasets.diw import DIWDataset
from mmdpt.errors import InputError
from mmdpt.evaluation.whdr_metric import WHDRMetric

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeDepth', scale=32, image_only=True),
    dict(type='PackDepthInputs'),
]
PAIRS = ['1,2,4,8,>,8,6', '6,1,1,8,<,8,6']


@pytest.fixture
def root(tmp_path):
    """Two photographs of 8 x 6 px, as unpacked."""
    for name in 'ab':
        write_image(tmp_path / 'DIW_test' / f'{name}.thumb', format='JPEG')
    write(tmp_path, './DIW_test/a.thumb', PAIRS[0], './DIW_test/b.thumb', PAIRS[1])
    return tmp_path


def write(root, *lines, end='\n'):
    (root / 'DIW_Annotations').mkdir(exist_ok=True)
    text = ''.join(line + end for line in lines)
    (root / 'DIW_Annotations' / 'DIW_test.csv').write_bytes(text.encode())


def build(root):
    return DIWDataset(data_root=str(root), pipeline=PIPELINE, test_mode=True)


@pytest.mark.parametrize('end', ['\n', '\r\n', '\n\n'])
def test_points_count_from_one_in_the_file_and_from_zero_in_the_sample(root, end):
    write(root, './DIW_test/a.thumb', PAIRS[0], './DIW_test/b.thumb', PAIRS[1], end=end)
    dataset = build(root)
    assert len(dataset) == 2
    info = dataset.get_data_info(0)
    assert info['img_path'] == f'{root}/DIW_test/a.thumb'
    assert info['ordinal_pairs'] == [((0, 1), (3, 7), '>')]
    assert dataset.get_data_info(1)['ordinal_pairs'] == [((5, 0), (0, 7), '<')]


def test_pairs_reach_the_metric_through_resizing_and_packing(root):
    """Depth at (0, 1) > depth at (3, 7): met by a disparity that grows to the right and down."""
    packed = build(root)[0]
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, 32, 32) and sample.ori_shape == (6, 8)
    disparity = torch.arange(48.0).reshape(1, 6, 8)
    for pred, expected in ((disparity, 0), (-disparity, 100)):
        metric = WHDRMetric()
        metric.process({}, [{**sample.to_dict(), 'pred_depth_map': dict(data=pred)}])
        assert metric.evaluate(1)['whdr'] == expected


@pytest.mark.parametrize(
    ('pair', 'message'),
    [
        ('1,2,4,8,>,8', "expected y1,x1,y2,x2,relation,width,height, got '1,2,4,8,>,8'"),
        ('1,2,4,8,=,8,6', "the relation must be '<' or '>', got '='"),
        ('1,2,4,8.5,>,8,6', 'expected whole numbers'),
        ('0,2,4,8,>,8,6', 'point y 0, x 2 lies outside the image of 8 x 6 px'),
        ('1,0,4,8,>,8,6', 'point y 1, x 0 lies outside'),
        ('1,2,7,8,>,8,6', 'point y 7, x 8 lies outside'),
        ('1,2,4,9,>,8,6', 'point y 4, x 9 lies outside'),
    ],
)
def test_pair_with_one_thing_wrong(root, pair, message):
    write(root, './DIW_test/a.thumb', PAIRS[0], './DIW_test/b.thumb', pair)
    with pytest.raises(InputError, match=rf'DIW_test\.csv, line 4: {message}'):
        build(root)


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (None, r'list file .*DIW_test\.csv does not exist'),
        ((), r'DIW_test\.csv has 0 lines: expected two'),
        (('./DIW_test/a.thumb',), r'DIW_test\.csv has 1 lines: expected two'),
        (('gone.thumb', PAIRS[0]), r'1 listed images do not exist:\s+\S*gone\.thumb'),
    ],
)
def test_list_with_one_thing_wrong(root, lines, message):
    if lines is None:
        (root / 'DIW_Annotations' / 'DIW_test.csv').unlink()
    else:
        write(root, *lines)
    with pytest.raises(InputError, match=message):
        build(root)
