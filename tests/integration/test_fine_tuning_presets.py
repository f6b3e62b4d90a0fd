"""Frozen backbone, layer-wise decay and LoRA train what they say, and their checkpoints reload."""

import mmcv
import numpy as np
import pytest
import tiny
import torch
from mmcv.transforms import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdpt.checkpoints import compare
from mmdpt.config import check_config, load_config
from mmdpt.registry import MODELS, TRANSFORMS

SIZE = (56, 70)
PRESETS = {
    'hypersim': lambda name: True,
    'nyu_frozen': lambda name: not name.startswith('backbone.'),
    'nyu_layer-decay': lambda name: True,
    'nyu_lora': lambda name: not name.startswith('backbone.') or '.lora_' in name,
}
"""Which parameters train, by their names."""


def load(preset):
    cfg = load_config(f'depth-anything_vits14_{preset}', ['model.backbone.init_cfg=None'])
    check_config(cfg)
    init_default_scope(cfg.default_scope)
    return cfg


def build_tiny(cfg, seed=0):
    cfg.model.backbone.update(arch=tiny.LAYERS, img_size=70, out_indices=tiny.TAPS)
    if 'frozen_stages' in cfg.model.backbone:
        cfg.model.backbone.frozen_stages = 4
    cfg.model.decode_head.update(tiny.HEAD)
    cfg.model.data_preprocessor.size = SIZE
    torch.manual_seed(seed)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


def train(model, cfg, steps):
    torch.manual_seed(0)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    images = list(torch.randint(256, (2, 3, *SIZE)).float())
    samples = [
        SegDataSample(gt_depth_map=PixelData(data=1 + 9 * torch.rand(1, *SIZE))) for _ in images
    ]
    for _ in range(steps):
        model.train().train_step(dict(inputs=images, data_samples=samples), optim_wrapper)


@pytest.mark.parametrize('preset', PRESETS)
def test_training_moves_what_it_should_and_its_checkpoint_fills_another_model(preset):
    """Two steps: the first leaves A of LoRA alone, since B is zero."""
    cfg = load(preset)
    trained, fresh = build_tiny(cfg), build_tiny(cfg, seed=1)
    before = {name: p.detach().clone() for name, p in trained.named_parameters()}
    train(trained, cfg, steps=2)
    for name, parameter in trained.named_parameters():
        assert torch.equal(parameter, before[name]) is not PRESETS[preset](name), name
    assert compare(fresh, trained.state_dict()).fills
    fresh.load_state_dict(trained.state_dict())
    image, metas = torch.randn(1, 3, *SIZE), [dict(img_shape=SIZE)]
    with torch.no_grad():
        depth, expected = (m.eval().encode_decode(image, metas) for m in (fresh, trained))
    torch.testing.assert_close(depth, expected, rtol=0, atol=0)


def rates(config):
    """Learning rate of each parameter that trains, of the full-size model."""
    cfg = load_config(config, ['model.backbone.init_cfg=None'])
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    by_id = {id(p): group['lr'] for group in groups for p in group['params']}
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    encoder = sum(p.numel() for name, p in parameters.items() if name.startswith('backbone.'))
    return {name: by_id[id(p)] for name, p in parameters.items()}, encoder


@pytest.mark.parametrize(
    ('config', 'head'),
    [
        ('depth-anything_vits14_hypersim', 5e-5),
        ('dpt_vit-b16_nyu', 1e-4),
        ('dpt_vit-b16_mix6', 1e-4),
    ],
)
def test_the_encoder_trains_at_a_tenth_of_the_heads_rate(config, head):
    """Position embedding and readout token too, which have rules of their own."""
    for name, rate in rates(config)[0].items():
        assert rate == pytest.approx(head / 10 if name.startswith('backbone.') else head), name


@pytest.mark.parametrize(
    ('config', 'head', 'trained', 'powers'),
    [
        # 12 blocks x 8 x (384 + 1152 for q, k, v and 384 + 384 for the projection)
        ('depth-anything_vits14_nyu_lora', 1e-4, 221184, {}),
        (
            *('depth-anything_vits14_nyu_layer-decay', 5e-5, None),
            {
                'ln1.weight': 0,
                'layers.11.attn.gamma1.weight': 1,
                'layers.11.ffn.layers.1.weight': 1,
                'layers.0.attn.qkv.weight': 12,
                'patch_embed.projection.weight': 13,
                'cls_token': 13,
                'pos_embed': 13,
            },
        ),
        ('dpt_dinov3-b16_nyu_frozen', 3e-4, 0, {}),
        # 12 blocks x 8 x (768 + 2304 for q, k, v and 768 + 768 for the projection)
        ('dpt_dinov3-b16_nyu_lora', 1e-4, 442368, {'timm_model.blocks.0.attn.qkv.lora_up': 0}),
        (
            *('dpt_dinov3-b16_nyu_layer-decay', 1e-4),
            # d = 768: 12 blocks of 12 d^2 + 14 d, patches, 5 tokens, norm
            12 * (12 * 768**2 + 14 * 768) + (3 * 16**2 + 1) * 768 + 5 * 768 + 2 * 768,
            {
                'timm_model.norm.weight': 0,
                'timm_model.blocks.11.attn.qkv.weight': 1,
                'timm_model.reg_token': 13,
            },
        ),
    ],
)
def test_presets_train_what_they_say_at_decayed_rates(config, head, trained, powers):
    found, encoder = rates(config)
    assert trained in (None, encoder)
    assert found['decode_head.predictor.conv3.weight'] == pytest.approx(head)
    for name, power in powers.items():
        assert found[f'backbone.{name}'] == pytest.approx(head * 0.8**power), name


@pytest.mark.parametrize(
    ('preset', 'size', 'expected'),
    [('hypersim', (480, 640), (518, 686)), ('vkitti', (375, 1242), (518, 1792))],
)
def test_images_have_the_sizes_of_depth_anything(tmp_path, preset, size, expected):
    """518 / 480 x 640 = 690.7 = 49.3 x 14; KITTI is cut to 352 x 1216: 1789.5 = 127.8 x 14."""
    image = np.random.default_rng(0).integers(256, size=(*size, 3), dtype=np.uint8)
    mmcv.imwrite(image, str(tmp_path / 'image.png'))
    mmcv.imwrite(np.full(size, 2560, np.uint16), str(tmp_path / 'depth.png'))
    cfg = load(preset)
    for loader, shape in (('train_dataloader', (518, 518)), ('test_dataloader', expected)):
        pipeline = Compose([TRANSFORMS.build(step) for step in cfg[loader].dataset.pipeline])
        paths = dict(img_path=f'{tmp_path}/image.png', depth_map_path=f'{tmp_path}/depth.png')
        results = pipeline(dict(paths, depth_scale=256, seg_fields=[]))
        assert results['inputs'].shape == (3, *shape)
    assert results['data_samples'].gt_depth_map.data[0, 0, 0] == 10
