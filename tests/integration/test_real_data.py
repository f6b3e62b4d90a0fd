"""Real images through the configs that are made for them."""

import re

import pytest
import torch


def data_options(root, *loaders):
    return [f'{loader}_dataloader.dataset.data_root={root}' for loader in loaders]


@pytest.mark.nightly
def test_camvid_trains_and_is_evaluated(data_root, succeed, tmp_path):
    done = succeed(
        *('train.py', 'dpt_vit-ti16_camvid', '--work-dir', tmp_path, '--cfg-options'),
        *data_options(data_root / 'camvid', 'train', 'val'),
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
        *data_options(data_root / 'ade20k_sample' / 'ADEChallengeData2016', 'train', 'val'),
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
    from mmengine.registry import init_default_scope

    from mmdpt.datasets import ADE20KDataset

    init_default_scope('mmdpt')
    dataset = ADE20KDataset(
        data_root=str(data_root / 'ade20k_sample' / 'ADEChallengeData2016'),
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
    )
    for sample in dataset:
        labels = sample['data_samples'].gt_sem_seg.data
        valid = labels[labels != 255]
        assert valid.numel() > 0.5 * labels.numel()
        assert int(valid.min()) >= 0 and int(valid.max()) < 150
        assert labels.shape[1:] == sample['inputs'].shape[1:]
        assert labels.dtype == torch.int64
