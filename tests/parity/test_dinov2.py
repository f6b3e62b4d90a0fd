"""The taps are those of transformers' DINOv2 with the same weights, with registers and SwiGLU."""

import pytest
import tiny
import torch
import torch.nn.functional as F
from families import vit
from tiny_dpt import converted, encoder
from transformers import (
    Dinov2Backbone,
    Dinov2Config,
    Dinov2WithRegistersBackbone,
    Dinov2WithRegistersConfig,
)

from mmdpt.models.backbones.vision_transformer_dpt import VisionTransformerDPT
from mmdpt.models.backbones.vit_blocks import resize_position_embedding

pytestmark = pytest.mark.parity
SIDE, REGISTERS = 70, 4
SIZES = [(70, 70), (126, 126), (70, 112), (154, 56)]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('swiglu', [False, True])
@pytest.mark.parametrize('registers', [0, REGISTERS])
@torch.no_grad()
def test_taps_equal_transformers(registers, swiglu, size):
    """Their tokens are the class token, which is our readout, the registers, and the patches."""
    config, backbone, settings = Dinov2Config, Dinov2Backbone, {}
    if registers:
        config, backbone = Dinov2WithRegistersConfig, Dinov2WithRegistersBackbone
        settings = dict(num_register_tokens=registers)
    settings |= dict(image_size=SIDE, patch_size=14, use_swiglu_ffn=swiglu)
    theirs = backbone(config(**vit('tiny'), **settings, reshape_hidden_states=False))
    tiny.draw_weights(theirs, std=0.2)
    ours = encoder(
        img_size=SIDE,
        patch_size=14,
        norm_taps=True,
        interpolate_mode='bicubic-antialias' if registers else 'bicubic',
        num_register_tokens=registers,
        layer_scale_init_value=1.0,
        layer_cfgs=dict(ffn_type='swiglu_fused') if swiglu else {},
    ).eval()
    ours.load_state_dict(converted(theirs.state_dict(), 'huggingface'))
    image = torch.randn(2, 3, *size)
    for (feature, readout), tokens in zip(ours(image), theirs(image).feature_maps, strict=True):
        tiny.assert_close(feature.flatten(2).mT, tokens[:, 1 + registers :])
        tiny.assert_close(readout, tokens[:, 0])


def test_giant_is_swiglu_of_4096():
    """1536 channels, 24 heads, 4096 = two thirds of 6144 hidden channels (arXiv:2304.07193)."""
    with torch.device('meta'):
        model = VisionTransformerDPT(
            'dinov2-giant',
            img_size=518,
            patch_size=14,
            out_indices=(9, 19, 29, 39),
            norm_taps=True,
            layer_scale_init_value=1.0,
            layer_cfgs=dict(ffn_type='swiglu_fused'),
        )
    dims, hidden, blocks = 1536, 4096, 40
    attention = 4 * dims**2 + 4 * dims
    ffn = 2 * hidden * (dims + 1) + dims * (hidden + 1)
    norms_and_scales = 3 * 2 * dims
    embeddings = 3 * 14**2 * dims + dims + dims + (37**2 + 1) * dims
    expected = blocks * (attention + ffn + norms_and_scales) + embeddings + 2 * dims
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize(('mode', 'offset'), [('bicubic', 0.0), ('bicubic-offset', 0.1)])
@pytest.mark.parametrize('grid', [(9, 9), (5, 8), (3, 2)])
def test_bicubic_samples_with_the_step_of_the_offset_grid(mode, offset, grid):
    """The i-th of h' samples lies at (i + 0.5) h / (h' + offset) of h patches."""
    embedding = torch.randn(1, 1 + 25, 3, generator=torch.Generator().manual_seed(0))
    rows, columns = [(torch.arange(new) + 0.5) / (new + offset) * 2 - 1 for new in grid]
    places = torch.stack(torch.meshgrid(columns, rows, indexing='xy'), dim=2)
    patches = embedding[:, 1:].mT.reshape(1, 3, 5, 5)
    expected = F.grid_sample(patches, places[None], 'bicubic', 'border', align_corners=False)
    resized = resize_position_embedding(embedding, (5, 5), grid, mode)
    assert torch.equal(resized[:, :1], embedding[:, :1])
    torch.testing.assert_close(resized[:, 1:].mT, expected.flatten(2), rtol=0, atol=1e-5)
