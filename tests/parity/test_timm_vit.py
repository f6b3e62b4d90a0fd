"""The taps of the backbone are the block outputs of timm's ViT with the same weights."""

import pytest
import timm
import tiny
import torch

from mmdpt.models import VisionTransformerDPT

DEPTH, DIMS, HEADS = 5, 48, 3
OUT_INDICES = (0, 2, 3, 4)


@pytest.fixture
def reference():
    model = timm.create_model(
        'vit_base_patch16_224',
        img_size=96,
        embed_dim=DIMS,
        depth=DEPTH,
        num_heads=HEADS,
        num_classes=0,
        dynamic_img_size=True,
    )
    return tiny.draw_weights(model)


def build(norm_taps=False):
    arch = dict(embed_dims=DIMS, num_layers=DEPTH, num_heads=HEADS, feedforward_channels=4 * DIMS)
    return VisionTransformerDPT(
        arch, img_size=96, out_indices=OUT_INDICES, norm_taps=norm_taps
    ).eval()


@pytest.mark.parametrize('norm_taps', [False, True])
def test_taps_equal_timm_blocks_at_pretraining_size(from_timm, reference, norm_taps):
    model = build(norm_taps)
    weights = from_timm(reference.state_dict())
    if norm_taps:
        weights |= {f'ln1.{leaf}': value for leaf, value in reference.norm.state_dict().items()}
    model.load_state_dict(weights)
    image = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        taps = model(image)
        expected = reference.forward_intermediates(
            image,
            indices=list(OUT_INDICES),
            norm=norm_taps,
            return_prefix_tokens=True,
            intermediates_only=True,
        )
    for (feature, readout), (timm_feature, timm_prefix) in zip(taps, expected, strict=True):
        torch.testing.assert_close(feature, timm_feature, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(readout, timm_prefix[:, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('size', [(64, 64), (96, 160), (208, 112)])
def test_taps_equal_timm_blocks_after_interpolation(from_timm, reference, size):
    """timm interpolates bicubically with antialiasing, so it gets our interpolated embedding."""
    model = build()
    weights = from_timm(reference.state_dict())
    model.load_state_dict(weights)
    grid = (size[0] // 16, size[1] // 16)
    tokens = weights['pos_embed'][:, 1:].reshape(1, 6, 6, DIMS).permute(0, 3, 1, 2)
    tokens = torch.nn.functional.interpolate(tokens, grid, mode='bilinear', align_corners=False)
    embedding = torch.cat([weights['pos_embed'][:, :1], tokens.flatten(2).transpose(1, 2)], dim=1)
    resized = timm.create_model(
        'vit_base_patch16_224',
        img_size=size,
        embed_dim=DIMS,
        depth=DEPTH,
        num_heads=HEADS,
        num_classes=0,
    ).eval()
    resized.load_state_dict({**reference.state_dict(), 'pos_embed': embedding})
    image = torch.randn(1, 3, *size)
    with torch.no_grad():
        taps = model(image)
        expected = resized.forward_intermediates(
            image, indices=list(OUT_INDICES), intermediates_only=True
        )
    for (feature, _), timm_feature in zip(taps, expected, strict=True):
        torch.testing.assert_close(feature, timm_feature, rtol=1e-5, atol=1e-5)
