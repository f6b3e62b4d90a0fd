"""The check before a long run, as a user types it, and the pictures of samples."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from mmdpt.visualization.layout import GAP
from mmdpt.visualization.samples import LINE_HEIGHT, sample_panel, stack_panels

LEGEND = 34
CLASSES = dict(classes=('wall', 'sky'), palette=[[255, 0, 0], [0, 255, 0]])


def roots(path):
    loaders = ('train', 'val', 'test')
    return ['--cfg-options', *(f'{k}_dataloader.dataset.data_root={path}' for k in loaders)]


def read(path):
    return np.asarray(Image.open(path))


def test_clean_data_passes_with_a_table_and_pictures(config, run_tool, tmp_path):
    done = run_tool('check_dataset.py', config, '--out', tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
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


def test_depth_is_checked_and_browsed(run_tool, scenes, tmp_path):
    options = roots(Path(scenes) / 'nyu')
    name = 'dpt_vit-ti16_scenes-depth'
    done = run_tool(
        *('check_dataset.py', name, '--splits', 'train', '--samples', '2'),
        *('--out', tmp_path / 'check', *options),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'range of depth' in done.stdout and 'val = test' not in done.stdout
    done = run_tool(
        *('browse_dataset.py', name, '--split', 'val', '--number', '2'),
        *('--out', tmp_path / 'browse', *options),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pictures = sorted((tmp_path / 'browse').glob('*.png'))
    assert len(pictures) == 2
    picture = read(pictures[0])
    width = (picture.shape[1] - GAP) // 2
    assert len(np.unique(picture[:-LEGEND, width + GAP :].reshape(-1, 3), axis=0)) > 20


@pytest.mark.nightly
def test_real_data_passes(data_root, run_tool, tmp_path):
    for name, folder, row in (
        ('dpt_vit-ti16_camvid', 'camvid', 'labels seen                0..10        0..10'),
        ('dpt_vit-ti16_scenes-depth', 'indoor_rgbd', 'samples read               5'),
    ):
        done = run_tool(
            *('check_dataset.py', name, '--samples', '5', '--out', tmp_path / name),
            *roots(data_root / folder),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert row in done.stdout


def test_no_samples_is_an_error(config, run_tool, tmp_path):
    done = run_tool('check_dataset.py', config, '--samples', '0', '--out', tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == 'error: samples must be at least 1, got 0'


# the picture of a sample


def packed(labels=None, depth=None, size=(60, 300)):
    """A grey image, (3, *size), with blue (BGR) in its first row."""
    inputs = torch.full((3, *size), 100, dtype=torch.uint8)
    inputs[:, 0] = torch.tensor([200, 0, 0], dtype=torch.uint8)[:, None]
    targets = SegDataSample()
    if labels is not None:
        targets.gt_sem_seg = PixelData(data=torch.as_tensor(labels)[None])
    if depth is not None:
        targets.gt_depth_map = PixelData(data=torch.as_tensor(depth)[None])
    return dict(inputs=inputs, data_samples=targets)


def test_panel_of_labels_names_its_classes_in_their_colours():
    labels = np.zeros((60, 300), np.int64)
    labels[:, 150:] = 255
    panel = sample_panel(packed(labels), CLASSES)
    assert panel.shape == (60 + LINE_HEIGHT, 2 * 300 + GAP, 3)
    assert panel[0, 0].tolist() == [0, 0, 200]  # RGB now
    shown = panel[:60, 300 + GAP :]
    assert shown[30, 10].tolist() == [int(0.7 * 255 + 0.3 * 100), 30, 30]
    assert shown[30, 200].tolist() == [30, 30, 30]
    legend = panel[60:, 300 + GAP :].reshape(-1, 3).tolist()
    assert [255, 0, 0] in legend and [0, 255, 0] not in legend


def test_panel_of_depth_is_black_where_there_is_none():
    depth = np.linspace(1, 5, 60 * 300, dtype=np.float32).reshape(60, 300)
    depth[:20] = np.nan
    panel = sample_panel(packed(depth=depth), {})
    assert panel.shape == (60 + LEGEND, 2 * 300 + GAP, 3)
    assert (panel[:20, 300 + GAP :] == 0).all()
    assert (panel[20:60, 300 + GAP :].sum(axis=2)[:, :150] > 0).all()


def test_panel_of_both_has_three_columns():
    panel = sample_panel(packed(np.ones((60, 300), int), np.ones((60, 300), np.float32)), CLASSES)
    assert panel.shape == (60 + LEGEND, 3 * 300 + 2 * GAP, 3)
    assert panel[30, 300 + GAP].tolist() == [30, int(0.7 * 255 + 0.3 * 100), 30]


def test_depth_without_valid_pixel_is_drawn_black():
    panel = sample_panel(packed(depth=np.full((60, 300), np.nan, np.float32)), {})
    assert panel.shape == (60, 2 * 300 + GAP, 3)
    assert (panel[:, 300 + GAP :] == 0).all()


def test_targets_at_full_size_are_brought_to_the_image():
    labels = np.zeros((120, 600), np.int64)
    labels[:, 300:] = 1
    panel = sample_panel(packed(labels), CLASSES)
    shown = panel[:60, 300 + GAP :].astype(int)
    assert (shown[1:, :150, 0] > 200).all() and (shown[1:, 150:, 1] > 200).all()


@pytest.mark.parametrize(('width', 'expected'), [(None, 240), (60, 60), (500, 500)])
def test_width_of_a_column(width, expected):
    panel = sample_panel(packed(np.zeros((60, 80), int), size=(60, 80)), CLASSES, width)
    assert panel.shape[1] == 2 * expected + GAP


def test_labels_without_classes_are_numbered():
    labels = np.array([[3, 4]]).repeat(60, 0).repeat(150, 1)
    shown = sample_panel(packed(labels), {})[:60, 300 + GAP :]
    assert len(np.unique(shown[30], axis=0)) == 2


def test_stacked_panels_keep_their_pixels():
    wide, narrow = np.full((5, 90, 3), 7, np.uint8), np.full((8, 60, 3), 9, np.uint8)
    page = stack_panels([('a', wide), ('b', narrow)])
    assert page.shape == (2 * LINE_HEIGHT + 5 + 8 + GAP, 90, 3)
    assert (page[LINE_HEIGHT : LINE_HEIGHT + 5] == 7).all()
    start = 2 * LINE_HEIGHT + 5 + GAP
    assert (page[start : start + 8, :60] == 9).all() and (page[start:, 60:] == 255).all()
