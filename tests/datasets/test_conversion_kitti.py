"""Eigen's lists name the files as downloaded, and say None where there is no ground truth."""

import numpy as np
import pytest
from tiny_files import write_image, write_map

from mmdpt.datasets.conversion import kitti
from mmdpt.datasets.conversion.kitti import convert_kitti
from mmdpt.datasets.kitti import KITTIDepthDataset
from mmdpt.datasets.transforms.loading import LoadDepth, LoadImageFromFile
from mmdpt.errors import InputError

DATE = '2011_09_26'
ONE, TWO = f'{DATE}_drive_0001_sync', f'{DATE}_drive_0002_sync'
IMAGES, CALIB = f'{DATE}/{ONE}/image_02/data', 'calib_cam_to_cam.txt'

# of the raw data's 2011_09_26, as quoted in chinasem.cn/article/514796
CALIBRATION = """calib_time: 09-Jan-2012 13:57:47
K_02: 9.597910e+02 0.000000e+00 6.960217e+02 0.000000e+00 9.569251e+02 2.241806e+02 0 0 1
P_rect_02: 7.215377e+02 0.000000e+00 6.095593e+02 4.485728e+01 0.000000e+00 7.215377e+02
P_rect_03: 7.188560e+02 0.000000e+00 6.095593e+02 -3.395242e+02 0.000000e+00 7.215377e+02
"""


@pytest.fixture
def root(tmp_path):
    """Frames 5 (in train), 6 (in val) and 7 (without depth) of camera 2, 5 of camera 3."""
    date, truth = tmp_path / 'raw' / DATE, tmp_path / 'data_depth_annotated'
    for camera, number in ((2, 5), (2, 6), (2, 7), (3, 5)):
        write_image(date / f'{ONE}/image_0{camera}/data/{number:010d}.png', (6, 4), 9 * number)
    for part, camera, number in (('train', 2, 5), ('val', 2, 6), ('train', 3, 5)):
        name = f'{part}/{ONE}/proj_depth/groundtruth/image_0{camera}/{number:010d}.png'
        write_map(truth / name, [256 * number], (4, 6), np.uint16)
    (date / CALIB).write_text(CALIBRATION)
    return tmp_path


def monodepth(number, drive=ONE, suffix='jpg'):
    return ' '.join(f'{DATE}/{drive}/image_0{k}/data/{number:010d}.{suffix}' for k in (2, 3))


def convert(root, *lines, is_test=False, **kwargs):
    (root / 'split.txt').write_text('\n'.join(lines) + '\n')
    return convert_kitti(root, root / 'split.txt', root / 'list.txt', is_test, **kwargs)


def listed(root):
    return [line.split() for line in (root / 'list.txt').read_text().splitlines()]


def test_lines_of_monodepth_become_the_list_that_the_data_set_reads(root):
    calls = []
    lines = (monodepth(5), monodepth(7), '', monodepth(6, suffix='png'))
    summary = convert(root, *lines, progress=lambda *call: calls.append(call))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert (summary.num_images, summary.num_with_depth) == (3, 2)
    depth = f'{ONE}/proj_depth/groundtruth/image_02'
    assert listed(root) == [
        [f'{IMAGES}/0000000005.png', f'train/{depth}/0000000005.png', '721.5377'],
        [f'{IMAGES}/0000000007.png', 'None', '721.5377'],
        [f'{IMAGES}/0000000006.png', f'val/{depth}/0000000006.png', '721.5377'],
    ]
    steps = [LoadImageFromFile(), LoadDepth()]
    dataset = KITTIDepthDataset(data_root=str(root), ann_file='list.txt', pipeline=steps)
    assert (len(dataset), dataset.num_without_depth) == (2, 1)
    assert np.unique(dataset[1]['gt_depth_map']).tolist() == [6.0]
    assert dataset[1]['img'][0, 0, 0] == 54
    assert dataset[0]['focal'] == 721.5377


def test_lines_of_monodepth2_say_the_side_and_leave_out_zeros(root):
    convert(root, f'{DATE}/{ONE} 0000000006 l', f'{DATE}/{ONE} 5 r')
    assert [line[0].partition(f'{ONE}/')[2] for line in listed(root)] == [
        'image_02/data/0000000006.png',
        'image_03/data/0000000005.png',
    ]
    assert [line[2] for line in listed(root)] == ['721.5377', '718.856']


def test_images_may_be_jpeg_and_depth_without_its_part(root):
    folder = root / 'raw' / DATE / ONE / 'image_02' / 'data'
    (folder / '0000000005.png').rename(folder / '0000000005.jpg')
    (root / 'data_depth_annotated' / 'train' / ONE).rename(root / 'data_depth_annotated' / ONE)
    convert(root, monodepth(5))
    ((image, depth, _),) = listed(root)
    assert image.endswith('/0000000005.jpg')
    assert depth == f'{ONE}/proj_depth/groundtruth/image_02/0000000005.png'


def test_test_split_is_counted_and_drives_without_depth_are_named(root, monkeypatch):
    assert (kitti.TEST_IMAGES, kitti.TEST_WITH_DEPTH) == (697, 652)
    monkeypatch.setattr(kitti, 'TEST_IMAGES', 3)
    monkeypatch.setattr(kitti, 'TEST_WITH_DEPTH', 2)
    lines = [monodepth(number) for number in (5, 6, 7)]
    assert convert(root, *lines, is_test=True).num_with_depth == 2
    with pytest.raises(InputError, match=r"split\.txt has 2 images, Eigen's test split 3"):
        convert(root, *lines[:2], is_test=True)
    (root / 'list.txt').unlink()
    write_image(root / 'raw' / DATE / TWO / 'image_02' / 'data' / '0000000009.png')
    message = rf'1 of 3 images have depth .*, expected 2; no depth at all for 1 drives:\s+{TWO}$'
    with pytest.raises(InputError, match=message):
        convert(root, lines[0], lines[2], monodepth(9, TWO), is_test=True)
    assert not (root / 'list.txt').exists()


@pytest.mark.parametrize(
    ('gone', 'numbers', 'message'),
    [
        ('', [7], rf'0 of 1 images have depth .* expected some.*\s+{ONE}$'),
        ('', [8, 5, 9], rf'2 images are missing below .*raw:\s+{IMAGES}/0000000008'),
        ('raw', [5], 'folder of the .* .*/raw does not exist'),
        ('data_depth_annotated', [5], 'folder of the .* .*/data_depth_annotated does not exist'),
        (f'raw/{DATE}/{CALIB}', [5], rf'calibration .*{DATE}/{CALIB} does not'),
    ],
)
def test_what_is_missing_is_named(root, gone, numbers, message):
    if gone:
        (root / gone).rename(root / 'elsewhere')
    with pytest.raises(InputError, match=message):
        convert(root, *map(monodepth, numbers))


@pytest.mark.parametrize(
    'line',
    [
        f'{DATE}/{ONE}/image_01/data/0000000005.png',
        f'2011_09_28/{ONE}/image_02/data/0000000005.png',
        f'{DATE}/{ONE} 5',
        f'{DATE}/{ONE} 5 x',
        f'{ONE}/image_02/data/0000000005.png None 721.5377',
    ],
)
def test_line_that_is_not_understood_and_an_empty_file_are_named(root, line):
    with pytest.raises(InputError, match=r'split\.txt, line 2: expected "date/drive_sync'):
        convert(root, monodepth(5), line)
    with pytest.raises(InputError, match=r'split file .*split\.txt names no image'):
        convert(root, '')


def test_tool_writes_the_lists_beside_the_data(root, call_tool, capsys):
    (root / 'split.txt').write_text(monodepth(5))
    command = ('dataset_converters/kitti.py', root, '--train', root / 'split.txt')
    assert call_tool(*command) == 0
    assert (root / 'kitti_eigen_train.txt').read_text().endswith('0000000005.png 721.5377\n')
    assert '1 images, 1 with depth' in capsys.readouterr().out.replace('\n', ' ')
