"""timm's ViT and R50+ViT are initial weights of our backbone."""

import pytest
import timm
import torch
from timm.layers import HybridEmbed, StdConv2dSame
from timm.models.resnetv2 import ResNetV2
from timm.models.vision_transformer import VisionTransformer

from mmdpt.checkpoints import compare, to_ours

DIMS, OUT_INDICES = 48, (0, 1, 3, 4)


def backbone_weights(converted):
    assert all(key.startswith('backbone.') for key in converted)
    return {key.removeprefix('backbone.'): value for key, value in converted.items()}


@pytest.mark.parity
@pytest.mark.parametrize('size', [(96, 96), (64, 128)])
def test_taps_equal_timm_vit(random_weights, build_model, size):
    reference = random_weights(
        timm.create_model(
            'vit_base_patch16_224', img_size=size, embed_dim=DIMS, depth=5, num_heads=3
        )
    )
    converted, report = to_ours(reference.state_dict())
    assert (report.source, report.task) == ('timm', 'backbone')
    assert set(report.dropped) == {f'{n}.{x}' for n in ('norm', 'head') for x in ('weight', 'bias')}
    backbone = build_model('depth', img_size=size)['backbone']
    backbone.load_state_dict(backbone_weights(converted))
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        taps = backbone(image)
        expected = reference.forward_intermediates(
            image, indices=list(OUT_INDICES), norm=False, intermediates_only=True
        )
    for (feature, _), timm_feature in zip(taps, expected, strict=True):
        assert (feature - timm_feature).abs().max() <= 1e-5 * timm_feature.abs().max()


@pytest.mark.parity
@pytest.mark.parametrize('size', [(96, 96), (64, 128)])
def test_taps_equal_timm_hybrid(random_weights, build_model, size):
    stem = ResNetV2(
        layers=(1, 2, 2),
        channels=(128, 256, 512),
        stem_chs=32,
        stem_type='same',
        preact=False,
        num_classes=0,
        global_pool='',
        conv_layer=lambda *args, **kwargs: StdConv2dSame(*args, eps=1e-8, **kwargs),
    )
    reference = random_weights(
        VisionTransformer(
            img_size=size,
            patch_size=1,
            embed_dim=DIMS,
            depth=5,
            num_heads=3,
            embed_layer=lambda **kwargs: HybridEmbed(backbone=stem, **kwargs),
        )
    )
    converted, report = to_ours(reference.state_dict())
    assert report.task == 'backbone'
    backbone = build_model('depth', hybrid=True, img_size=size)['backbone']
    backbone.load_state_dict(backbone_weights(converted))
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        taps = backbone(image)
        expected = reference.forward_intermediates(
            image, indices=[3, 4], norm=False, intermediates_only=True
        )
    for (feature, _), timm_feature in zip(taps[2:], expected, strict=True):
        assert (feature - timm_feature).abs().max() <= 1e-5 * timm_feature.abs().max()


def test_the_older_classifier_is_dropped(build_model):
    """jx_vit_* files hold ``pre_logits``."""
    reference = timm.create_model(
        'vit_base_patch16_224', img_size=96, embed_dim=DIMS, depth=5, num_heads=3
    )
    state = reference.state_dict() | {'pre_logits.fc.weight': torch.zeros(DIMS, DIMS)}
    converted, report = to_ours(state)
    assert 'pre_logits.fc.weight' in report.dropped
    assert compare(build_model('depth')['backbone'], backbone_weights(converted)).fills
