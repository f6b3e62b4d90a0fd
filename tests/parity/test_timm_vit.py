"""The taps of the backbone are the block outputs of timm's ViT with the same weights."""

import pytest
import timm
import tiny
import torch
import torch.nn.functional as F
from tiny_dpt import DIMS, converted, encoder

OUT_INDICES = (0, 2, 3, 4)


@pytest.mark.parametrize(
    ('size', 'norm_taps'),
    [((96, 96), False), ((96, 96), True), *((s, False) for s in [(64, 64), (96, 160), (208, 112)])],
)
@torch.no_grad()
def test_taps_equal_timm_blocks(size, norm_taps):
    """timm interpolates bicubically with antialiasing, so it gets our interpolated embedding."""
    reference = tiny.draw_weights(
        timm.create_model(
            'vit_base_patch16_224',
            img_size=size,
            embed_dim=DIMS,
            depth=5,
            num_heads=3,
            num_classes=0,
        )
    )
    model = encoder(out_indices=OUT_INDICES, norm_taps=norm_taps).eval()
    weights = converted(reference.state_dict(), 'timm')
    if norm_taps:
        weights |= {f'ln1.{leaf}': value for leaf, value in reference.norm.state_dict().items()}
    token, patches = torch.randn(1, 1, DIMS), torch.randn(1, DIMS, 6, 6)
    weights['pos_embed'] = torch.cat([token, patches.flatten(2).mT], dim=1)
    model.load_state_dict(weights)
    patches = F.interpolate(patches, (size[0] // 16, size[1] // 16), mode='bilinear')
    reference.pos_embed.data = torch.cat([token, patches.flatten(2).mT], dim=1)
    image = torch.randn(2, 3, *size)
    expected = reference.forward_intermediates(
        image,
        indices=list(OUT_INDICES),
        norm=norm_taps,
        return_prefix_tokens=True,
        intermediates_only=True,
    )
    for (feature, readout), (theirs, prefix) in zip(model(image), expected, strict=True):
        torch.testing.assert_close(feature, theirs, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(readout, prefix[:, 0], rtol=1e-5, atol=1e-5)
