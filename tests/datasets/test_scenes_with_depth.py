"""Scenes with labels and depth in one sample: the depth is that of NYU's layout."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from mmdpt.datasets import scenes_dataset
from mmdpt.datasets.nyu import NYUDepthDataset
from mmdpt.datasets.scenes_dataset import ScenesDataset, depth_name
from mmdpt.errors import InputError
from mmdpt.scenes import CLASSES, render_sample

STEPS = ('LoadImageFromFile', 'LoadAnnotations', 'LoadDepth', 'PackDepthInputs')
PIPELINE = [dict(type=name) for name in STEPS]
SPLITS = [('training', 'train', 8), ('validation', 'test', 3)]


def build(root, split='training', labels=True, **options):
    prefix = dict(img_path=f'images/{split}')
    if labels:
        prefix['seg_map_path'] = f'annotations/{split}'
    settings = dict(pipeline=PIPELINE, with_depth=True) | options
    return ScenesDataset(data_root=str(root), data_prefix=prefix, **settings)


def without(name):
    return [step for step in PIPELINE if step['type'] != name]


@pytest.mark.parametrize(('split', 'nyu_split', 'count'), SPLITS)
def test_depth_is_that_of_the_same_picture_in_the_nyu_layout(scenes, split, nyu_split, count):
    """Paired there by the file names of image and depth, here by the bytes of the image."""
    nyu = NYUDepthDataset(
        data_root=str(scenes / 'nyu'),
        data_prefix=dict(img_path=f'images/{nyu_split}', depth_map_path=f'annotations/{nyu_split}'),
        pipeline=without('LoadAnnotations'),
    )
    by_picture = []
    for dataset in (build(scenes, split), nyu):
        samples = [dataset[index]['data_samples'] for index in range(len(dataset))]
        pictures = [Path(sample.img_path).read_bytes() for sample in samples]
        depths = [sample.gt_depth_map.data for sample in samples]
        by_picture.append(dict(zip(pictures, depths, strict=True)))
    assert len(by_picture[0]) == count
    torch.testing.assert_close(*by_picture, rtol=0, atol=0, equal_nan=True)
    assert all(depth.shape == (1, 48, 64) and depth.isfinite().any() for depth in depths)


def test_labels_are_those_of_the_data_set_without_depth(scenes):
    plain, both = build(scenes, pipeline=without('LoadDepth'), with_depth=False), build(scenes)
    assert both.metainfo == plain.metainfo  # else no ConcatDataset of the two
    assert both.metainfo['classes'] == CLASSES
    assert len(both.metainfo['palette']) == len(CLASSES)
    assert len(both) == 8
    for index in range(8):
        labels, expected = (d[index]['data_samples'].gt_sem_seg.data for d in (both, plain))
        assert torch.equal(labels, expected)
        rendered = render_sample(0, 'training', index, tiny.SIZE)[1].labels
        np.testing.assert_array_equal(labels[0], rendered - 1)
    assert 'depth_map_path' not in plain.get_data_info(0)


def test_sample_carries_what_the_loader_needs_and_names_both_files_when_packed(scenes):
    info = build(scenes, 'validation').get_data_info(1)
    assert info['depth_map_path'] == f'{scenes}/nyu/annotations/test/street_0002_00002.png'
    assert info['depth_scale'] == 1000
    assert info['invalid_values'] == (0,)
    # IoUMetric writes label maps in file values where the sample says so
    sample = build(scenes)[0]['data_samples']
    assert sample.seg_map_path.endswith('annotations/training/scene_00000001.png')
    assert sample.depth_map_path.endswith('nyu/annotations/train/playroom_0001_00001.png')
    assert sample.reduce_zero_label is True
    sample = build(scenes, pipeline=without('LoadAnnotations'), labels=False)[0]['data_samples']
    assert 'gt_depth_map' in sample and 'gt_sem_seg' not in sample


def test_labels_and_depth_stay_together_when_resized_and_mirrored(scenes):
    """Both nearest: pixel (r, c) of the half size is pixel (2r, 2c), then mirrored."""
    moved = [dict(type='Resize', scale=(32, 24)), dict(type='RandomFlip', prob=1.0)]
    whole = build(scenes)
    small = build(scenes, pipeline=[*PIPELINE[:3], *moved, PIPELINE[3]])
    for name in ('gt_sem_seg', 'gt_depth_map'):
        full, half = (d[2]['data_samples'].get(name).data[0].numpy() for d in (whole, small))
        np.testing.assert_array_equal(half, full[::2, ::2][:, ::-1])


def test_names_of_depth_files_and_images_or_folders_of_another_name(scenes, tmp_path):
    assert depth_name('scene_00000001', 1) == 'playroom_0001_00001.png'
    assert depth_name('scene_00000240', 2) == 'street_0002_00240.png'
    assert depth_name('scene_00123457', 1) == 'playroom_0001_123457.png'
    for image in ('kitchen_00000001', 'scene_', 'scene_1b'):
        with pytest.raises(InputError, match=rf'image {image} is no scene'):
            depth_name(image, 1)
    for folder in ('images', 'annotations'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'train').symlink_to(scenes / folder / 'training')
    with pytest.raises(InputError, match=r'images/train must end in one of training, validation'):
        build(tmp_path, 'train')


def test_missing_depth_files_are_named(scenes, tmp_path):
    for folder in ('images', 'annotations', 'nyu'):
        shutil.copytree(scenes / folder, tmp_path / folder)
    (tmp_path / 'nyu' / 'annotations' / 'train' / 'street_0001_00004.png').unlink()
    unpaired = r'1 images have no depth file:\s+\S*scene_00000004\.jpg.*street_0001_00004\.png'
    with pytest.raises(InputError, match=unpaired):
        build(tmp_path)


def test_warns_of_fewer_scenes_than_asked_for(scenes, monkeypatch):
    said = []
    monkeypatch.setattr(scenes_dataset, 'print_log', lambda text, *_: said.append(text))
    few = build(scenes, pipeline=[], with_depth=False, labels=False, indices=9)
    assert len(few) == 8
    (text,) = said
    assert f'{scenes} has 8 of the 9 scenes asked for' in text
