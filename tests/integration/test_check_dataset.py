"""The check before a long run, as a user types it."""

import shutil

import numpy as np
import pytest
import tiny
from PIL import Image

from mmdpt.visualization.depth import LEGEND_HEIGHT
from mmdpt.visualization.tiling import GAP


def roots(path):
    loaders = ('train', 'val', 'test')
    return ['--cfg-options', *(f'{k}_dataloader.dataset.data_root={path}' for k in loaders)]


def read(path):
    return np.asarray(Image.open(path))


def test_clean_data_passes_with_a_table_and_pictures(config, succeed, tmp_path):
    done = succeed('check_dataset.py', config, '--out', tmp_path)
    assert 'val = test' in done.stdout and 'labels not ignored' in done.stdout
    assert done.stdout.endswith('no trouble found in the samples read\n')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['train.png', 'val.png']
    assert read(tmp_path / 'train.png').shape[1] == 2 * 360 + GAP


def test_two_troubles_are_both_told_and_the_exit_code_is_one(config, run_tool, scenes, tmp_path):
    data = tmp_path / 'data'
    shutil.copytree(scenes, data)
    label = data / 'annotations' / 'training' / 'scene_00000003.png'
    Image.fromarray(np.full((48, 64), 99, np.uint8)).save(label)
    image = data / 'images' / 'validation' / 'scene_00000002.jpg'
    image.write_bytes(image.read_bytes()[:500])
    done = run_tool('check_dataset.py', config, '--out', tmp_path / 'out', *roots(data))
    assert done.returncode == 1
    assert (
        'trouble: train: label values (1)' in done.stdout and f'{label} holds [99]' in done.stdout
    )
    assert 'trouble: val = test: reading (1)' in done.stdout and str(image) in done.stdout
    assert 'Traceback' not in done.stderr
    assert (tmp_path / 'out' / 'val.png').exists()


def test_depth_is_checked_and_browsed(succeed, scenes, tmp_path):
    config = tiny.write_config(tmp_path, 'depth', scenes)
    done = succeed(
        *('check_dataset.py', config, '--splits', 'train', '--samples', '2'),
        *('--out', tmp_path / 'check'),
    )
    assert 'range of depth' in done.stdout and 'val = test' not in done.stdout
    out = tmp_path / 'browse'
    succeed('browse_dataset.py', config, '--split', 'val', '--number', '2', '--out', out)
    pictures = sorted(out.glob('*.png'))
    assert len(pictures) == 2
    picture = read(pictures[0])
    depth = picture[:-LEGEND_HEIGHT, (picture.shape[1] - GAP) // 2 + GAP :]
    assert len(np.unique(depth.reshape(-1, 3), axis=0)) > 20


@pytest.mark.nightly
@pytest.mark.parametrize(
    ('name', 'folder', 'row'),
    [
        ('dpt_vit-ti16_camvid', 'camvid', 'labels seen                0..10        0..10'),
        ('dpt_vit-ti16_scenes-depth', 'indoor_rgbd', 'samples read               5'),
    ],
)
def test_real_data_passes(data_root, succeed, tmp_path, name, folder, row):
    command = ('check_dataset.py', name, '--samples', '5', '--out', tmp_path)
    assert row in succeed(*command, *roots(data_root / folder)).stdout
