"""Ordinal pairs travel from DIW's list to WHDR."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image

from mmdpt.datasets.diw import DIWDataset
from mmdpt.datasets.transforms.as_mmseg import PackDepthInputs
from mmdpt.datasets.transforms.depth_geometry import ResizeDepth
from mmdpt.errors import InputError
from mmdpt.evaluation.whdr_metric import WHDRMetric

PIPELINE = [
    dict(type='LoadImageFromFile', color_type='color_ignore_orientation'),
    ResizeDepth(scale=32, image_only=True),
    PackDepthInputs(),
]
PAIRS = ['1,2,4,8,>,8,6', '6,1,1,8,<,8,6']


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdpt')


@pytest.fixture
def root(tmp_path):
    """Two photographs of 8 x 6 px, as unpacked."""
    (tmp_path / 'DIW_test').mkdir()
    for name in 'ab':
        image = Image.fromarray(np.full((6, 8, 3), 90, np.uint8))
        image.save(tmp_path / 'DIW_test' / f'{name}.thumb', format='JPEG')
    write(tmp_path, './DIW_test/a.thumb', PAIRS[0], './DIW_test/b.thumb', PAIRS[1])
    return tmp_path


def write(root, *lines):
    (root / 'DIW_Annotations').mkdir(exist_ok=True)
    (root / 'DIW_Annotations' / 'DIW_test.csv').write_text('\n'.join(lines) + '\n')


def build(root, **kwargs):
    return DIWDataset(data_root=str(root), pipeline=PIPELINE, test_mode=True, **kwargs)


def test_points_count_from_one_in_the_file_and_from_zero_in_the_sample(root):
    dataset = build(root)
    assert len(dataset) == 2
    info = dataset.get_data_info(0)
    assert info['img_path'] == f'{root}/DIW_test/a.thumb'
    assert info['ordinal_pairs'] == [((0, 1), (3, 7), '>')]
    assert dataset.get_data_info(1)['ordinal_pairs'] == [((5, 0), (0, 7), '<')]


def test_pairs_reach_the_metric_through_resizing_and_packing(root):
    """Depth at (0, 1) > depth at (3, 7): met by a disparity that grows to the right and down."""
    sample = build(root)[0]
    assert tuple(sample['inputs'].shape) == (3, 32, 32)
    sample = sample['data_samples']
    assert sample.ori_shape == (6, 8)
    disparity = torch.arange(48.0).reshape(1, 6, 8)
    for pred, expected in ((disparity, 0), (-disparity, 100)):
        metric = WHDRMetric()
        metric.process({}, [{**sample.to_dict(), 'pred_depth_map': dict(data=pred)}])
        assert metric.evaluate(1)['whdr'] == expected


def test_lines_with_carriage_returns_and_blank_ones(root):
    path = root / 'DIW_Annotations' / 'DIW_test.csv'
    path.write_bytes(path.read_bytes().replace(b'\n', b'\r\n') + b'\r\n')
    assert build(root).get_data_info(1)['ordinal_pairs'] == [((5, 0), (0, 7), '<')]


def test_exif_orientation_does_not_turn_the_image(root):
    image = Image.fromarray(np.full((6, 8, 3), 90, np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to look at
    image.save(root / 'DIW_test' / 'a.thumb', format='JPEG', exif=exif)
    assert build(root)[0]['data_samples'].ori_shape == (6, 8)


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


@pytest.mark.parametrize(('lines', 'number'), [((), 0), (('./DIW_test/a.thumb',), 1)])
def test_list_without_two_lines_an_image(root, lines, number):
    write(root, *lines)
    with pytest.raises(InputError, match=rf'DIW_test\.csv has {number} lines: expected two'):
        build(root)


def test_path_that_leads_out(root):
    write(root, '../a.thumb', PAIRS[0])
    with pytest.raises(InputError, match=r"line 1: path '../a.thumb' leads out of"):
        build(root)


def test_missing_images_are_named_up_to_twenty(root):
    lines = [line for k in range(23) for line in (f'./DIW_test/gone{k:02d}.thumb', PAIRS[0])]
    write(root, './DIW_test/a.thumb', PAIRS[0], *lines)
    with pytest.raises(InputError, match='23 listed images do not exist') as error:
        build(root)
    assert 'gone19.thumb' in str(error.value) and 'gone20.thumb' not in str(error.value)


def test_missing_root_is_named(root):
    with pytest.raises(InputError, match=r'data root .*gone does not exist'):
        build(root / 'gone')


def test_missing_list_is_named(root):
    with pytest.raises(InputError, match=r'list file .*other\.csv does not exist'):
        build(root, ann_file='other.csv')
