"""Taps of timm's encoders equal those of models built for the image's size, and transformers'."""

import pytest
import timm
import tiny
import torch
from tiny_dpt import converted
from transformers import DINOv3ViTConfig, DINOv3ViTModel

from mmdpt.models import TimmDPTBackbone

SIZES = [(48, 80), (53, 127), (112, 33)]
BUILT_FOR_A_SIZE = ('vit', 'eva02', 'swinv2')


def build(kind, **settings):
    name, args = tiny.TIMM[kind]
    return TimmDPTBackbone(name, model_args=args, **settings)


def padded(image, multiple):
    bottom, right = (-side % multiple for side in image.shape[2:])
    return torch.nn.functional.pad(image, (0, right, 0, bottom))


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('kind', BUILT_FOR_A_SIZE)
@torch.no_grad()
def test_taps_equal_those_of_a_model_of_that_size(kind, size, tmp_path):
    """timm resizes the position embedding while it loads the file; Swin has windows alone."""
    model = tiny.draw_weights(build(kind))
    image = torch.randn(2, 3, *size)
    expected_input = padded(image, model.pad_to_patch.multiple)
    name, args = tiny.TIMM[kind]
    weights = {k.removeprefix('timm_model.'): v for k, v in model.state_dict().items()}
    torch.save(weights, tmp_path / 'weights.pth')
    reference = timm.create_model(
        name,
        pretrained=True,
        pretrained_cfg_overlay=dict(file=str(tmp_path / 'weights.pth'), num_classes=0),
        pretrained_strict=False,
        **{**args, 'img_size': tuple(expected_input.shape[2:])},
    ).eval()
    settings = {} if kind == 'swinv2' else dict(return_prefix_tokens=True)
    expected = reference.forward_intermediates(
        expected_input, indices=model.out_indices, intermediates_only=True, **settings
    )
    for (feature, readout), theirs in zip(model(image), expected, strict=True):
        their_map, prefix = (theirs, None) if kind == 'swinv2' else theirs
        torch.testing.assert_close(feature, their_map, rtol=1e-5, atol=1e-5)
        if prefix is not None:
            torch.testing.assert_close(readout, prefix[:, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('kind', ['dinov3', 'dinov3-gated'])
@torch.no_grad()
def test_dinov3_equals_transformers(kind, size):
    torch.manual_seed(0)
    config = DINOv3ViTConfig(
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=96,
        num_register_tokens=4,
        use_gated_mlp=kind == 'dinov3-gated',
        hidden_act='silu' if kind == 'dinov3-gated' else 'gelu',
    )
    reference = tiny.draw_weights(DINOv3ViTModel(config))
    model = build(kind, norm_taps=True).eval()
    model.load_state_dict(converted(reference.state_dict(), 'huggingface'))
    image = torch.randn(2, 3, *size)
    pixels = padded(image, 16)
    hidden = reference(pixels, output_hidden_states=True).hidden_states
    for (feature, readout), tokens in zip(model(image), hidden[1:], strict=True):
        tokens = reference.norm(tokens)
        patches = tokens[:, 5:].unflatten(1, (pixels.shape[2] // 16, pixels.shape[3] // 16))
        torch.testing.assert_close(feature, patches.permute(0, 3, 1, 2), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(readout, tokens[:, 0], rtol=1e-5, atol=1e-5)
