"""What a depth data set lists, and how it names what is wrong with the files."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_files import write_image, write_map

from mmdpt.datasets.depth_dataset import DepthDataset
from mmdpt.datasets.depth_list import DepthListDataset
from mmdpt.datasets.nyu import NYUDepthDataset
from mmdpt.errors import InputError

PIPELINE = [dict(type=name) for name in ('LoadImageFromFile', 'LoadDepth', 'PackDepthInputs')]


@pytest.fixture
def root(tmp_path):
    """Images p, q, r of 8 x 6 px at 2 m, in millimetres, with a hole in the corner."""
    for name in 'pqr':
        write_image(tmp_path / 'images' / 'train' / f'{name}.jpg')
        write_map(
            tmp_path / 'annotations' / 'train' / f'{name}.png', [0] + [2000] * 47, (6, 8), np.uint16
        )
    return tmp_path


def build(root, kind=DepthDataset, **kwargs):
    settings = dict(data_root=str(root), pipeline=PIPELINE)
    if kind is DepthDataset:
        settings['depth_scale'] = 1000
    return kind(**{**settings, **kwargs})


def write(root, name, *lines):
    (root / name).write_text('\n'.join(lines) + '\n')
    return name


def listed(root, *lines, kind=DepthDataset, **kwargs):
    """A data set of a list file with paths below the root."""
    prefix = dict(img_path='', depth_map_path='')
    return build(root, kind, ann_file=write(root, 'list.txt', *lines), data_prefix=prefix, **kwargs)


def depth_of(dataset, index=0):
    """Depth [m], (H, W), NaN = invalid."""
    depth = dataset[index]['data_samples'].gt_depth_map.data
    assert depth.dtype == torch.float32 and depth.ndim == 3
    return depth[0].numpy()


def test_folder_pairs_every_image_with_its_depth(root):
    dataset = build(root, test_mode=True)
    assert 'classes' not in dataset.metainfo
    assert len(dataset) == 3
    info = dataset.get_data_info(1)
    assert info['img_path'] == f'{root}/images/train/q.jpg'
    assert info['depth_map_path'] == f'{root}/annotations/train/q.png'
    assert info['depth_scale'] == 1000
    assert np.isnan(depth_of(dataset)[0, 0])
    assert np.nanmin(depth_of(dataset)) == np.nanmax(depth_of(dataset)) == 2


@pytest.mark.parametrize('scale', [0, -1, float('nan')])
def test_scale_that_is_not_positive(root, scale):
    with pytest.raises(ValueError, match='depth_scale must be positive'):
        build(root, depth_scale=scale)


def test_what_is_missing_is_named(root):
    with pytest.raises(InputError, match=r'depth_map_path .*/nowhere does not exist'):
        build(root, data_prefix=dict(depth_map_path='nowhere'))
    with pytest.raises(InputError, match=r'no image \*\.bmp in .*images'):
        build(root, img_suffix='.bmp')


def test_list_of_names_as_in_mmseg_or_of_pairs_with_focal_length(root):
    dataset = build(root, ann_file=write(root, 'list.txt', 'train/r', '', 'train/p'))
    assert [dataset.get_data_info(k)['img_path'][-5:] for k in range(2)] == ['r.jpg', 'p.jpg']
    dataset = listed(root, '/images/train/p.jpg /annotations/train/q.png 518.8579')
    info = dataset.get_data_info(0)
    assert info['img_path'] == f'{root}/images/train/p.jpg'
    assert info['depth_map_path'] == f'{root}/annotations/train/q.png'
    assert info['focal'] == 518.8579
    assert dataset[0]['data_samples'].focal == 518.8579


def test_listed_images_that_do_not_exist_are_named_up_to_twenty(root):
    lines = [f'images/train/gone{k:02d}.jpg annotations/train/p.png 1' for k in range(23)]
    with pytest.raises(InputError, match='23 listed images do not exist') as error:
        listed(root, 'images/train/p.jpg annotations/train/p.png 1', *lines)
    text = str(error.value)
    assert all(f'gone{k:02d}.jpg' in text for k in range(20))
    assert 'gone20.jpg' not in text
    assert 'and 3 more' in text


def test_listed_line_with_one_thing_wrong(root):
    with pytest.raises(InputError, match=r'1 images have no depth file:\s+\S*p\.jpg.*gone\.png'):
        listed(root, 'images/train/p.jpg gone.png 1')
    with pytest.raises(InputError, match=r'list\.txt, line 1: expected "image depth focal".*oops'):
        listed(root, 'p.jpg p.png oops')
    with pytest.raises(InputError, match=r'list\.txt names no image with a depth file'):
        listed(root, 'images/train/p.jpg None 721.5')


def test_nyu_in_both_layouts_equals_the_files(data_root):
    sample = data_root / 'nyu_sample'
    prefix = dict(img_path='images/train', depth_map_path='annotations/train')
    mmseg = build(sample / 'mmseg', NYUDepthDataset, data_prefix=prefix)
    bts = build(sample / 'bts_sync', NYUDepthDataset, ann_file='nyu_train.txt')
    assert len(mmseg) == len(bts) == 3
    for k, number in enumerate((0, 50, 100)):
        path = sample / 'bts_sync' / 'basement_0001a' / f'sync_depth_{number:05d}.png'
        expected = np.asarray(Image.open(path)) / 1000
        expected[expected == 0] = np.nan
        for dataset in (mmseg, bts):
            np.testing.assert_allclose(depth_of(dataset, k), expected, rtol=1e-6)
    assert np.isnan(expected).any()


P = dict(image='images/train/p.jpg', depth='annotations/train/p.png', scale=1000)


def from_json(root, *rows):
    name = write(root, 'own.jsonl', *map(json.dumps, rows))
    return build(root, DepthListDataset, ann_file=name)


def test_csv_and_json_lines_say_the_same(root):
    write_map(root / 'mask.png', [255], (6, 8), np.uint8)
    row = dict(P, invalid=[0, 65535], mask='mask.png', intrinsics=[500, 501, 4, 3])
    in_json = from_json(root, row).get_data_info(0)
    name = write(
        *(root, 'own.csv', 'image,depth,scale,invalid,mask,intrinsics'),
        'images/train/p.jpg,annotations/train/p.png,1000,0 65535,mask.png,500 501 4 3',
    )
    in_csv = build(root, DepthListDataset, ann_file=name).get_data_info(0)
    assert in_json == in_csv
    assert in_csv['invalid_values'] == (0, 65535)
    assert in_csv['intrinsics'] == (500, 501, 4, 3)
    assert in_csv['depth_mask_path'] == f'{root}/mask.png'


def test_disparity_becomes_depth_below_the_folder_of_the_list(root):
    """2000 sixteenths of a pixel: f x b = 50 px m gives 50 x 16 / 2000 = 0.4 m."""
    write(root, 'own.csv', 'image,disparity,scale', f'{P["image"]},{P["depth"]},{50 * 16}')
    depth = depth_of(DepthListDataset(ann_file=str(root / 'own.csv'), pipeline=PIPELINE))
    assert np.nanmax(depth) == np.nanmin(depth) == np.float32(0.4)
    assert np.isnan(depth[0, 0])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        *(
            (change, rf'own\.jsonl, line 2: {message}')
            for change, message in [
                (dict(image=None), 'no image'),
                (dict(depth=None), 'expected either depth or disparity'),
                (dict(disparity='annotations/train/p.png'), 'expected either depth or disparity'),
                (dict(scale=None), 'no scale'),
                (dict(scale=0), 'scale must be one positive number, got 0'),
                (dict(scale=[1, 2]), r'scale must be one positive number, got \[1, 2\]'),
                (dict(scale='mm'), "scale must be numbers, got 'mm'"),
                (dict(invalid='none'), "invalid must be numbers, got 'none'"),
                (dict(intrinsics=[1, 2, 3]), r'intrinsics must be fx fy cx cy, got \[1, 2, 3\]'),
                (dict(unit='mm'), 'unknown column unit: expected image, depth'),
                (dict(image=3), 'a path must be a string, got 3'),
            ]
        ),
        (dict(image='images/train/gone.jpg'), r'1 listed images do not exist:\s+\S*gone\.jpg'),
        (dict(depth='gone.png'), r'1 images have no depth file:\s+\S*p\.jpg.*gone\.png'),
        (dict(mask='gone.png'), r'1 images have no mask:\s+\S*p\.jpg.*gone\.png'),
    ],
)
def test_line_with_one_thing_wrong(root, change, message):
    with pytest.raises(InputError, match=message):
        from_json(root, P, {**P, **change})


@pytest.mark.parametrize(
    ('name', 'lines', 'message'),
    [
        ('own.jsonl', [json.dumps(P), '{"image": '], r'own\.jsonl, line 2: no JSON'),
        ('own.jsonl', ['["p.jpg"]'], r'own\.jsonl, line 1: expected a JSON object'),
        ('own.csv', ['image,depth', 'p,p,1'], r'own\.csv, line 2: unknown column beyond the last'),
        ('own.csv', ['p.jpg,p.png'] * 2, r'own\.csv, line 1: unknown column p\.jpg'),
        ('own.csv', ['image,scale', 'p.jpg,1'], r'own\.csv, line 1: expected either depth or'),
        ('own.csv', ['image,depth'], r'list file .*own\.csv names no image'),
        ('own.txt', ['image,depth'], r'own\.txt must end in \.csv or \.jsonl'),
    ],
)
def test_list_with_one_thing_wrong(root, name, lines, message):
    with pytest.raises(InputError, match=message):
        build(root, DepthListDataset, ann_file=write(root, name, *lines))
