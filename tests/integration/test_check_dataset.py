"""The check before a long run, as a user types it; real images through their configs."""

import re
import shutil

import numpy as np
import pytest
import tiny
from mmengine.registry import init_default_scope
from PIL import Image

from mmdpt.config import load_config
from mmdpt.datasets.checking import check_splits
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
    data = shutil.copytree(scenes, tmp_path / 'data')
    label = data / 'annotations' / 'training' / 'scene_00000003.png'
    Image.fromarray(np.full((48, 64), 99, np.uint8)).save(label)
    image = data / 'images' / 'validation' / 'scene_00000002.jpg'
    image.write_bytes(image.read_bytes()[:500])
    done = run_tool('check_dataset.py', config, '--out', tmp_path / 'out', *roots(data))
    assert done.returncode == 1
    for told in ('train: label values (1)', 'val = test: reading (1)'):
        assert f'trouble: {told}' in done.stdout
    assert f'{label} holds [99]' in done.stdout and str(image) in done.stdout
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


@pytest.mark.nightly
def test_camvid_trains_and_is_evaluated(data_root, succeed, tmp_path):
    done = succeed(
        *('train.py', 'dpt_vit-ti16_camvid', '--work-dir', tmp_path, '--cfg-options'),
        *roots(data_root / 'camvid')[1:3],
        *('train_cfg.max_iters=3', 'train_cfg.val_interval=3', 'train_dataloader.batch_size=2'),
        *('val_dataloader.dataset.indices=4', 'default_hooks.logger.interval=1'),
    )
    assert len(re.findall(r'Iter\(train\) \[', done.stdout)) == 3
    assert 'mIoU' in done.stdout


@pytest.mark.nightly
def test_ade20k_with_dpt_large(data_root, succeed, tmp_path):
    """Two iterations and an evaluation on the three images of the sample, without CUDA."""
    done = succeed(
        *('train.py', 'dpt_vit-l16_ade20k', '--work-dir', tmp_path, '--cfg-options'),
        *roots(data_root / 'ade20k_sample' / 'ADEChallengeData2016')[1:3],
        'train_dataloader.dataset.data_prefix.img_path=images/validation',
        'train_dataloader.dataset.data_prefix.seg_map_path=annotations/validation',
        *('train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'train_dataloader.batch_size=1'),
        *('train_dataloader.num_workers=1', 'val_dataloader.num_workers=1'),
        *('default_hooks.logger.interval=1', 'default_hooks.checkpoint.interval=100'),
        *('default_hooks.checkpoint.save_last=False', 'model.backbone.init_cfg=None'),
    )
    losses = [float(x) for x in re.findall(r' loss: ([\d.]+)', done.stdout)]
    # the first loss of 150 classes and 0.2 of it again: 1.2 ln 150 = 6.0
    assert len(losses) == 2
    assert losses[0] == pytest.approx(6.0, abs=0.5)
    assert re.search(r'Iter\(val\) \[3/3\].*mIoU: ', done.stdout)


def test_ade20k_labels_of_the_sample_are_its_150_classes(data_root):
    root = data_root / 'ade20k_sample' / 'ADEChallengeData2016'
    cfg = load_config('dpt_vit-l16_ade20k', [f'val_dataloader.dataset.data_root={root}'])
    init_default_scope(cfg.default_scope)
    (report,) = check_splits(cfg, names=('val',))
    assert not report.troubles and len(report.samples) == 3
    for _, sample in report.samples:
        labels = sample['data_samples'].gt_sem_seg.data
        valid = labels[labels != 255]
        assert valid.numel() > 0.5 * labels.numel() and 0 <= valid.min() <= valid.max() < 150
