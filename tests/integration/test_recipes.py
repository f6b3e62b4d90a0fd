"""What the recipes say that they take from a source, beside the source's numbers."""

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope

from mmdpt.config import load_config
from mmdpt.registry import TRANSFORMS

SIGLOSS = dict(type='SiLogLoss', variance_weight=0.85, reduction='batch', warmup=100)


@pytest.mark.parametrize('data', ['nyu', 'kitti'])
@pytest.mark.parametrize('model', ['vit-b16', 'vit-l16', 'hybrid'])
def test_metric_depth_has_the_toolbox_s_loss_and_a_head_for_an_untrained_decoder(model, data):
    """zhyever/Monocular-Depth-Estimation-Toolbox, configs/dpt/dpt_vit-b16_{nyu,kitti}.py."""
    head = load_config(f'dpt_{model}_{data}').model.decode_head
    assert head.loss_decode == SIGLOSS
    assert head.max_depth == dict(nyu=10.0, kitti=80.0)[data] and 'inversion' not in head


@pytest.mark.parametrize('data', ['nyu', 'kitti'])
def test_fine_tuning_has_the_paper_s_losses(data):
    """Section 4.1: Eigen's, and gradient matching, which is disabled for KITTI alone."""
    cfg = load_config(f'dpt_hybrid_{data}_finetune')
    losses = cfg.model.decode_head.loss_decode
    gradients = dict(type='GradientMatchingLoss', loss_weight=0.5, alignment='none', space='log')
    eigen = dict(type='SiLogLoss')  # of each image, variance weight 0.5
    assert losses == ([eigen, gradients] if data == 'nyu' else eigen)
    assert cfg.load_from == 'dpt-hybrid-midas' and cfg.model.backbone.init_cfg is None


@pytest.mark.parametrize('size', ['s', 'b', 'l'])
def test_depth_anything_has_its_metric_training_s_loss(size):
    """metric_depth/{train,util/loss}.py: 0.5, of the whole batch, to the head's range."""
    head = load_config(f'depth-anything_vit{size}14_vkitti').model.decode_head
    assert head.loss_decode == dict(type='SiLogLoss', reduction='batch')
    assert head.max_depth == 80.0


SEGMENTATION = ['dpt_vit-l16_ade20k', 'dpt_hybrid_ade20k', 'dpt_hybrid_pascal-context_finetune']


@pytest.mark.parametrize('name', SEGMENTATION)
def test_segmentation_has_the_paper_s_optimiser(name):
    """Section 4.2; 20,210 images of ADE20K and 4,998 of Pascal Context, batch 48."""
    cfg = load_config(name)
    optimiser = dict(type='SGD', lr=0.002, momentum=0.9, weight_decay=1e-4)
    assert cfg.optim_wrapper == dict(type='OptimWrapper', optimizer=optimiser)
    (schedule,) = cfg.param_scheduler
    assert (schedule.type, schedule.power, schedule.eta_min) == ('PolyLR', 0.9, 0.0)
    batch, epochs, images = 8 * cfg.train_dataloader.batch_size, 240, 20210
    if 'pascal' in name:
        epochs, images = 50, 4998
    assert batch == 48 and cfg.train_cfg.max_iters == round(epochs * images / batch)


@pytest.mark.parametrize('name', SEGMENTATION)
@pytest.mark.parametrize('size', [(512, 683), (683, 512), (400, 2000)])
@pytest.mark.parametrize('ratio', [0.5, 1.3, 2.0])
def test_segmentation_draws_the_longer_side(name, size, ratio, monkeypatch):
    """_sync_transform of zhanghang1989/PyTorch-Encoding, encoding/datasets/base.py."""
    cfg = load_config(name)
    init_default_scope(cfg.default_scope)
    steps = [step.type for step in cfg.train_dataloader.dataset.pipeline[2:]]
    assert steps == ['RandomResize', 'RandomCrop', 'RandomFlip', 'PackSegInputs']
    resize, crop = cfg.train_dataloader.dataset.pipeline[2:4]
    assert (tuple(crop.crop_size), crop.cat_max_ratio) == ((480, 480), 1.0)
    share = (ratio - 0.5) / 1.5
    monkeypatch.setattr(np.random, 'random_sample', lambda: share)
    height, width = size
    image = np.zeros((*size, 3), np.uint8)
    results = dict(img=image, img_shape=size, gt_seg_map=image[..., 0], seg_fields=['gt_seg_map'])
    drawn = TRANSFORMS.build(resize)(results)['img_shape'][:2]
    longer = int(520 * ratio)
    expected = (
        (longer, int(1.0 * width * longer / height + 0.5))
        if height > width
        else (int(1.0 * height * longer / width + 0.5), longer)
    )
    assert drawn == expected


def test_the_paper_s_two_stages_on_mix6():
    """Section 4.1: 60 epochs of 72,000 steps each, the first on a part of the sets."""
    for model in ('hybrid', 'vit-l16'):
        first, second = (load_config(f'dpt_{model}_mix6{x}') for x in ('_pretrain', ''))
        roots = [
            [dataset.data_root for dataset in cfg.train_dataloader.dataset.datasets]
            for cfg in (first, second)
        ]
        assert (len(roots[0]), len(roots[1])) == (3, 7) and set(roots[0]) < set(roots[1])
        first.train_dataloader = second.train_dataloader
        assert first.to_dict() == {**second.to_dict(), 'curated': first.curated}
        assert second.train_cfg.max_iters == 60 * 72000
        assert 8 * second.train_dataloader.batch_size == 16


def test_the_mix_pads_a_quarter_of_a_common_image():
    """The paper's words: longer side to 384, then crops of 384 x 384."""
    resize = load_config('dpt_vit-b16_mix6').train_pipeline[2]
    init_default_scope('mmdpt')
    image = cv2.resize(np.zeros((3, 4, 3), np.uint8), (640, 480))
    height, width = TRANSFORMS.build(resize)(dict(img=image))['img_shape']
    assert (height, width) == (288, 384) and 1 - height / 384 == 0.25
