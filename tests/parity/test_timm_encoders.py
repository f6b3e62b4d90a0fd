"""Taps of timm's encoders equal those of models built for the image's size, and transformers'."""

import pytest
import timm
import tiny
import torch
from transformers import BeitBackbone, BeitConfig, DINOv3ViTConfig, DINOv3ViTModel

from mmdpt.checkpoints import to_ours
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
    converted, report = to_ours(reference.state_dict(), 'huggingface')
    assert report.task == 'backbone' and list(report.dropped) == ['embeddings.mask_token']
    model.load_state_dict({key.removeprefix('backbone.'): v for key, v in converted.items()})
    image = torch.randn(2, 3, *size)
    pixels = padded(image, 16)
    hidden = reference(pixels, output_hidden_states=True).hidden_states
    for (feature, readout), tokens in zip(model(image), hidden[1:], strict=True):
        tokens = reference.norm(tokens)
        patches = tokens[:, 5:].unflatten(1, (pixels.shape[2] // 16, pixels.shape[3] // 16))
        torch.testing.assert_close(feature, patches.permute(0, 3, 1, 2), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(readout, tokens[:, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('size', [(64, 64), *SIZES])
@torch.no_grad()
def test_beit_equals_transformers_at_any_size(size):
    """MiDaS 3.1 has the same interpolation of the relative positions."""
    torch.manual_seed(0)
    config = BeitConfig(
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=96,
        image_size=64,
        layer_norm_eps=1e-6,
        use_relative_position_bias=True,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    reference = tiny.draw_weights(BeitBackbone(config))
    model = build('beit').eval()
    model.load_state_dict(from_beit(reference.state_dict(), model.state_dict()))
    image = torch.randn(2, 3, *size)
    pixels = padded(image, 16)
    for (feature, readout), tokens in zip(
        model(image), reference(pixels).feature_maps, strict=True
    ):
        patches = tokens[:, 1:].unflatten(1, (pixels.shape[2] // 16, pixels.shape[3] // 16))
        torch.testing.assert_close(feature, patches.permute(0, 3, 1, 2), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(readout, tokens[:, 0], rtol=1e-5, atol=1e-5)


def from_beit(theirs, own):
    """Bring transformers' names under timm's."""
    renamed = {}
    for key in own:
        name = key.removeprefix('timm_model.')
        for ours, their_part in (
            ('patch_embed.proj', 'beit.embeddings.patch_embeddings.projection'),
            ('cls_token', 'beit.embeddings.cls_token'),
            ('blocks.', 'beit.layers.'),
            ('attn.proj', 'attention.o_proj'),
            ('attn.q_bias', 'attention.q_proj.bias'),
            ('attn.v_bias', 'attention.v_proj.bias'),
            ('gamma_', 'lambda_'),
            ('norm1', 'layernorm_before'),
            ('norm2', 'layernorm_after'),
            ('attn.relative', 'relative_position_bias.relative'),
        ):
            name = name.replace(ours, their_part)
        if name.endswith('attn.qkv.weight'):
            stem = name.replace('attn.qkv', 'attention.{}_proj')
            renamed[key] = torch.cat([theirs[stem.format(x)] for x in 'qkv'])
        else:
            renamed[key] = theirs[name]
    return renamed
