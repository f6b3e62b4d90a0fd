"""DINOv2 in training: registers and taps under freezing and layer-wise decay."""

import pytest
import torch

from mmdpt.models.backbones.vision_transformer_dpt import VisionTransformerDPT

ARCH = dict(embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48)


def build(**kwargs):
    torch.manual_seed(0)
    return VisionTransformerDPT(
        ARCH,
        img_size=70,
        patch_size=14,
        out_indices=(0, 1, 2, 3),
        norm_taps=True,
        interpolate_mode='bicubic-offset',
        num_register_tokens=4,
        layer_scale_init_value=1.0,
        **kwargs,
    )


def test_all_stages_frozen_leave_nothing_to_train():
    """Registers, layer scales and the final norm, too."""
    model = build(frozen_stages=4).train()
    assert [name for name, p in model.named_parameters() if p.requires_grad] == []


@pytest.mark.parametrize(
    ('name', 'depth'),
    [
        ('register_tokens', 0),
        ('pos_embed', 0),
        ('patch_embed.projection.weight', 0),
        ('layers.0.attn.gamma1.weight', 1),
        ('layers.3.ffn.gamma2.weight', 4),
        ('ln1.weight', 5),
    ],
)
def test_layer_depth(name, depth):
    assert build().get_layer_depth(f'backbone.{name}', 'backbone.') == (depth, 6)


def test_registers_start_small_and_unequal():
    (registers,) = build().register_tokens.detach()
    assert 0 < registers.abs().max() < 1e-5
    assert len({tuple(register.tolist()) for register in registers}) == 4


def test_registers_are_no_patches():
    """Without class token they stand first, and the taps are still the patches."""
    model = build(with_cls_token=False).eval()
    for feature, readout in model(torch.randn(1, 3, 42, 70)):
        assert feature.shape == (1, 24, 3, 5)
        assert readout is None


def test_position_grid_of_a_file_is_interpolated_as_the_model_does():
    """A model of 7 x 7 patches that loads one of 5 x 5 is that one at 7 x 7 patches."""
    small = build().eval()
    for parameter in small.parameters():
        torch.nn.init.normal_(parameter, std=0.2)

    large = VisionTransformerDPT(
        ARCH,
        img_size=98,
        patch_size=14,
        out_indices=(0, 1, 2, 3),
        norm_taps=True,
        interpolate_mode='bicubic-offset',
        num_register_tokens=4,
        layer_scale_init_value=1.0,
    ).eval()
    large.load_state_dict(small.state_dict())
    image = torch.randn(1, 3, 98, 98)
    with torch.no_grad():
        for (ours, _), (expected, _) in zip(large(image), small(image), strict=True):
            torch.testing.assert_close(ours, expected)
