"""Scenes with labels and depth in one sample: the depth is that of NYU's layout."""

import shutil

import numpy as np
import pytest
import torch

from mmdpt.datasets import scenes_dataset
from mmdpt.datasets.nyu import NYUDepthDataset
from mmdpt.datasets.scenes_dataset import ScenesDataset, depth_name
from mmdpt.errors import InputError
from mmdpt.scenes import CLASSES, render_sample, write_scenes

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='LoadDepth'),
    dict(type='PackDepthInputs'),
]
SPLITS = [('training', 'train', 5), ('validation', 'test', 3)]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Five training and three validation scenes of 32 x 24 px: rooms and streets."""
    folder = tmp_path_factory.mktemp('scenes')
    write_scenes(folder, num_train=5, num_val=3, size=(32, 24), workers=1)
    return folder


def build(root, split='training', pipeline=PIPELINE, with_depth=True, labels=True):
    prefix = dict(img_path=f'images/{split}')
    if labels:
        prefix['seg_map_path'] = f'annotations/{split}'
    return ScenesDataset(
        data_root=str(root), data_prefix=prefix, pipeline=pipeline, with_depth=with_depth
    )


def without(name):
    return [step for step in PIPELINE if step['type'] != name]


@pytest.mark.parametrize(('split', 'nyu_split', 'count'), SPLITS)
def test_depth_is_that_of_the_same_picture_in_the_nyu_layout(root, split, nyu_split, count):
    """Paired there by the file names of image and depth, here by the bytes of the image."""
    nyu = NYUDepthDataset(
        data_root=str(root / 'nyu'),
        data_prefix=dict(img_path=f'images/{nyu_split}', depth_map_path=f'annotations/{nyu_split}'),
        pipeline=without('LoadAnnotations'),
    )
    by_picture = {}
    for index in range(len(nyu)):
        with open(nyu.get_data_info(index)['img_path'], 'rb') as file:
            by_picture[file.read()] = nyu[index]['data_samples'].gt_depth_map.data
    scenes = build(root, split)
    assert len(scenes) == len(by_picture) == count
    for index in range(count):
        with open(scenes.get_data_info(index)['img_path'], 'rb') as file:
            expected = by_picture[file.read()]
        depth = scenes[index]['data_samples'].gt_depth_map.data
        torch.testing.assert_close(depth, expected, rtol=0, atol=0, equal_nan=True)
        assert depth.shape == (1, 24, 32) and depth.isfinite().any()


def test_labels_are_those_of_the_data_set_without_depth(root):
    plain, both = build(root, pipeline=without('LoadDepth'), with_depth=False), build(root)
    assert both.metainfo == plain.metainfo  # else no ConcatDataset of the two
    assert both.metainfo['classes'] == CLASSES
    assert len(both.metainfo['palette']) == len(CLASSES)
    assert len(both) == 5
    for index in range(5):
        labels, expected = (d[index]['data_samples'].gt_sem_seg.data for d in (both, plain))
        assert torch.equal(labels, expected)
        rendered = render_sample(0, 'training', index, (32, 24))[1].labels
        np.testing.assert_array_equal(labels[0], rendered - 1)
    assert 'depth_map_path' not in plain.get_data_info(0)


def test_sample_carries_what_the_loader_needs_and_names_both_files_when_packed(root):
    info = build(root, 'validation').get_data_info(1)
    assert info['depth_map_path'] == f'{root}/nyu/annotations/test/street_0002_00002.png'
    assert info['depth_scale'] == 1000
    assert info['invalid_values'] == (0,)
    # IoUMetric writes label maps in file values where the sample says so
    sample = build(root)[0]['data_samples']
    assert sample.seg_map_path.endswith('annotations/training/scene_00000001.png')
    assert sample.depth_map_path.endswith('nyu/annotations/train/playroom_0001_00001.png')
    assert sample.reduce_zero_label is True


def test_depth_without_labels(root):
    sample = build(root, pipeline=without('LoadAnnotations'), labels=False)[0]['data_samples']
    assert 'gt_depth_map' in sample and 'gt_sem_seg' not in sample


def test_labels_and_depth_stay_together_when_resized_and_mirrored(root):
    """Both nearest: pixel (r, c) of the half size is pixel (2r, 2c), then mirrored."""
    moved = [dict(type='Resize', scale=(16, 12)), dict(type='RandomFlip', prob=1.0)]
    whole = build(root)
    small = build(root, pipeline=[*PIPELINE[:3], *moved, PIPELINE[3]])
    for name in ('gt_sem_seg', 'gt_depth_map'):
        full, half = (d[2]['data_samples'].get(name).data[0].numpy() for d in (whole, small))
        np.testing.assert_array_equal(half, full[::2, ::2][:, ::-1])


@pytest.mark.parametrize(
    ('image', 'split', 'expected'),
    [
        ('scene_00000001', 1, 'playroom_0001_00001.png'),
        ('scene_00000240', 2, 'street_0002_00240.png'),
        ('scene_00123457', 1, 'playroom_0001_123457.png'),
    ],
)
def test_names_of_depth_files(image, split, expected):
    assert depth_name(image, split) == expected


@pytest.mark.parametrize('image', ['kitchen_00000001', 'scene_', 'scene_1b'])
def test_image_of_another_name(image):
    with pytest.raises(InputError, match=rf'image {image} is no scene'):
        depth_name(image, 1)


def test_image_folder_of_another_name(root, tmp_path):
    for folder in ('images', 'annotations'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'train').symlink_to(root / folder / 'training')
    with pytest.raises(InputError, match=r'images/train must end in one of training, validation'):
        build(tmp_path, 'train')


def test_missing_depth_files_are_named(root, tmp_path):
    for folder in ('images', 'annotations', 'nyu'):
        shutil.copytree(root / folder, tmp_path / folder)
    (tmp_path / 'nyu' / 'annotations' / 'train' / 'street_0001_00004.png').unlink()
    with pytest.raises(
        InputError,
        match=r'1 images have no depth file:\s+\S*scene_00000004\.jpg.*street_0001_00004\.png',
    ):
        build(tmp_path)


def test_warns_of_fewer_scenes_than_asked_for(root, monkeypatch):
    said = []
    monkeypatch.setattr(scenes_dataset, 'print_log', lambda text, *_: said.append(text))
    few = ScenesDataset(
        data_root=str(root), data_prefix=dict(img_path='images/training'), pipeline=[], indices=6
    )
    assert len(few) == 5
    assert len(said) == 1
    assert f'{root} has 5 of the 6 scenes asked for' in said[0]
