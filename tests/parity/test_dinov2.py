"""The taps are those of transformers' DINOv2 with the same weights, with registers and SwiGLU."""

import numpy as np
import pytest
import tiny
import torch
from transformers import (
    Dinov2Backbone,
    Dinov2Config,
    Dinov2WithRegistersBackbone,
    Dinov2WithRegistersConfig,
)

from mmdpt.models.backbones.vision_transformer_dpt import VisionTransformerDPT
from mmdpt.models.backbones.vit_blocks import resize_position_embedding

pytestmark = pytest.mark.parity
DIMS, PATCH, SIDE, REGISTERS = 48, 14, 70, 4
OUT_INDICES = (0, 1, 3, 4)
SIZES = [(70, 70), (126, 126), (70, 112), (154, 56)]


def reference(registers, swiglu):
    config, backbone = (
        (Dinov2WithRegistersConfig, Dinov2WithRegistersBackbone)
        if registers
        else (Dinov2Config, Dinov2Backbone)
    )
    settings = dict(
        hidden_size=DIMS,
        num_hidden_layers=5,
        num_attention_heads=3,
        image_size=SIDE,
        patch_size=PATCH,
        out_indices=[index + 1 for index in OUT_INDICES],
        use_swiglu_ffn=swiglu,
    )
    if registers:
        settings.update(num_register_tokens=REGISTERS)
    return tiny.draw_weights(backbone(config(**settings)), std=0.2)


def build(registers, swiglu):
    arch = dict(embed_dims=DIMS, num_layers=5, num_heads=3, feedforward_channels=4 * DIMS)
    return VisionTransformerDPT(
        arch,
        img_size=SIDE,
        patch_size=PATCH,
        out_indices=OUT_INDICES,
        norm_taps=True,
        interpolate_mode='bicubic-antialias' if registers else 'bicubic',
        num_register_tokens=REGISTERS if registers else 0,
        layer_scale_init_value=1.0,
        layer_cfgs=dict(ffn_type='swiglu_fused') if swiglu else {},
    ).eval()


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('swiglu', [False, True])
@pytest.mark.parametrize('registers', [False, True])
def test_taps_equal_transformers(dinov2_from_transformers, registers, swiglu, size):
    theirs, ours = reference(registers, swiglu), build(registers, swiglu)
    ours.load_state_dict(dinov2_from_transformers(theirs.state_dict()))
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = theirs(image).feature_maps
        taps = ours(image)
    for (feature, _), tap in zip(taps, expected, strict=True):
        tiny.assert_close(feature, tap)


@pytest.mark.parametrize('registers', [False, True])
def test_readout_is_the_class_token_before_the_registers(dinov2_from_transformers, registers):
    theirs, ours = reference(registers, False), build(registers, False)
    ours.load_state_dict(dinov2_from_transformers(theirs.state_dict()))
    theirs.config.reshape_hidden_states = False
    image = torch.randn(1, 3, 70, 112)
    with torch.no_grad():
        for (_, readout), tokens in zip(ours(image), theirs(image).feature_maps, strict=True):
            tiny.assert_close(readout, tokens[:, 0])


def test_giant_is_swiglu_of_4096():
    """1536 channels, 24 heads, 4096 = two thirds of 6144 hidden channels (arXiv:2304.07193)."""
    with torch.device('meta'):
        model = VisionTransformerDPT(
            'dinov2-giant',
            img_size=518,
            patch_size=PATCH,
            out_indices=(9, 19, 29, 39),
            norm_taps=True,
            layer_scale_init_value=1.0,
            layer_cfgs=dict(ffn_type='swiglu_fused'),
        )
    dims, hidden, blocks = 1536, 4096, 40
    attention = 4 * dims**2 + 4 * dims
    ffn = 2 * hidden * (dims + 1) + dims * (hidden + 1)
    norms_and_scales = 3 * 2 * dims
    embeddings = 3 * PATCH**2 * dims + dims + dims + (37**2 + 1) * dims
    expected = blocks * (attention + ffn + norms_and_scales) + embeddings + 2 * dims
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def cubic(values, positions):
    """Cubic convolution (Keys, a = -0.75) of values (n, ...) at positions, the border repeated."""
    a, out = -0.75, []
    for position in positions:
        first, total = int(np.floor(position)) - 1, 0
        for index in range(first, first + 4):
            x = abs(position - index)
            weight = (
                (a + 2) * x**3 - (a + 3) * x**2 + 1
                if x <= 1
                else a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
            )
            total = total + weight * values[np.clip(index, 0, len(values) - 1)]
        out.append(total)
    return np.stack(out)


@pytest.mark.parametrize(('mode', 'offset'), [('bicubic', 0.0), ('bicubic-offset', 0.1)])
@pytest.mark.parametrize('grid', [(9, 9), (5, 8), (3, 2)])
def test_bicubic_samples_with_the_step_of_the_offset_grid(mode, offset, grid):
    """The i-th of h' samples lies at (i + 0.5) h / (h' + offset) - 0.5."""
    torch.manual_seed(0)
    embedding = torch.randn(1, 1 + 25, 3)
    rows, columns = [(np.arange(new) + 0.5) * 5 / (new + offset) - 0.5 for new in grid]
    patches = cubic(embedding[0, 1:].double().numpy().reshape(5, 5, 3), rows)
    patches = cubic(patches.swapaxes(0, 1), columns).swapaxes(0, 1).reshape(-1, 3)
    resized = resize_position_embedding(embedding, (5, 5), grid, mode)
    torch.testing.assert_close(resized[:, :1], embedding[:, :1], rtol=0, atol=0)
    np.testing.assert_allclose(resized[0, 1:].numpy(), patches, rtol=0, atol=1e-5)
