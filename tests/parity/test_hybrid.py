"""DPT-Hybrid's stem and blocks equal timm's with the same weights."""

import re
from functools import partial

import pytest
import timm
import tiny
import torch
import torch.nn.functional as F
from timm.layers import HybridEmbed, StdConv2dSame
from timm.layers.padding import pad_same
from timm.models.resnetv2 import ResNetV2 as TimmResNetV2
from timm.models.vision_transformer import VisionTransformer as TimmViT

from mmdpt.models import VisionTransformerDPT
from mmdpt.models.backbones.resnetv2 import ResNetV2

pytestmark = pytest.mark.parity

CLASSES, DIMS, CHANNELS = 7, 48, 32
DEPTHS, BASE, STAGES = (1, 2, 2), 32, (128, 256, 512)
WIDTHS = (128, 256, 40, 64)
SIZES = [(96, 96), (160, 160), (96, 160), (224, 128)]
STEM = ((r'^stem\.', ''), (r'\.blocks\.(\d+)\.', r'.\1.'))
"""What the names of timm's network become."""


class StdConv2dOfTimm045(torch.nn.Conv2d):
    """(w - mean) / (std + 1e-5) by NumPy, whose deviation is biased; timm's padding."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, **kwargs):
        super().__init__(in_channels, out_channels, kernel_size, stride, bias=False)

    def forward(self, x):
        flat = self.weight.detach().numpy().reshape(len(self.weight), -1)
        flat = (flat - flat.mean(1, keepdims=True)) / (flat.std(1, keepdims=True) + 1e-5)
        weight = torch.from_numpy(flat).reshape(self.weight.shape)
        return F.conv2d(pad_same(x, self.kernel_size, self.stride), weight, stride=self.stride)


CONVOLUTIONS = {'std': StdConv2dOfTimm045, 'var': partial(StdConv2dSame, eps=1e-8)}


def from_timm_stem(state_dict):
    for pattern, replacement in STEM:
        state_dict = {re.sub(pattern, replacement, key): v for key, v in state_dict.items()}
    return state_dict


def timm_stem(standardization):
    return TimmResNetV2(
        layers=DEPTHS,
        channels=STAGES,
        stem_chs=BASE,
        stem_type='same',
        preact=False,
        num_classes=0,
        global_pool='',
        conv_layer=CONVOLUTIONS[standardization],
    )


def build_backbone(standardization):
    return VisionTransformerDPT(
        dict(embed_dims=DIMS, num_layers=5, num_heads=3, feedforward_channels=4 * DIMS),
        img_size=96,
        out_indices=(2, 4),
        stem=dict(
            type='ResNetV2', depths=DEPTHS, base_channels=BASE, standardization=standardization
        ),
    ).eval()


@pytest.mark.parametrize('size', [*SIZES, (97, 130), (63, 45), (17, 6)])
@pytest.mark.parametrize('standardization', ['std', 'var'])
def test_stages_equal_timm(standardization, size):
    theirs = tiny.draw_weights(timm_stem(standardization), filters='')
    ours = ResNetV2(DEPTHS, BASE, standardization).eval()
    ours.load_state_dict(from_timm_stem(theirs.state_dict()))
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = theirs.forward_intermediates(image, indices=[1, 2, 3], intermediates_only=True)
        for feature, timm_feature in zip(ours(image), expected, strict=True):
            tiny.assert_close(feature, timm_feature)


def test_the_two_formulas_are_told_apart():
    theirs = tiny.draw_weights(timm_stem('std'), filters='')
    ours = ResNetV2(DEPTHS, BASE, 'var').eval()
    ours.load_state_dict(from_timm_stem(theirs.state_dict()))
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = theirs(image)
        assert (ours(image)[-1] - expected).abs().max() > 1e-2 * expected.abs().max()


@pytest.mark.parametrize('standardization', ['std', 'var'])
@pytest.mark.parametrize('size', SIZES)
def test_blocks_equal_timm_on_its_hybrid_embedding(from_timm, size, standardization):
    """timm interpolates positions in its own way, so it gets ours as its embedding."""
    embed = partial(HybridEmbed, backbone=timm_stem(standardization))
    theirs = tiny.draw_weights(
        TimmViT(
            img_size=size,
            patch_size=1,
            embed_dim=DIMS,
            depth=5,
            num_heads=3,
            num_classes=0,
            embed_layer=embed,
        ),
        filters='backbone',
    )
    ours = build_backbone(standardization)
    weights = from_timm(theirs.state_dict())
    patches = torch.randn(1, DIMS, 6, 6)
    token = weights['pos_embed'][:, :1]
    weights['pos_embed'] = torch.cat([token, patches.flatten(2).transpose(1, 2)], dim=1)
    ours.load_state_dict(weights)
    grid = (size[0] // 16, size[1] // 16)
    patches = F.interpolate(patches, grid, mode='bilinear', align_corners=False)
    theirs.pos_embed.data = torch.cat([token, patches.flatten(2).transpose(1, 2)], dim=1)
    image = torch.randn(1, 3, *size)
    with torch.no_grad():
        taps = ours(image)[2:]
        expected = theirs.forward_intermediates(
            image, indices=[2, 4], return_prefix_tokens=True, intermediates_only=True
        )
    for (feature, readout), (timm_feature, timm_prefix) in zip(taps, expected, strict=True):
        tiny.assert_close(feature, timm_feature)
        tiny.assert_close(readout, timm_prefix[:, 0])


def test_full_size_has_the_parameters_of_timms_vit_base_r50_s16_384(from_timm):
    """Which is isl-org/DPT's vit_base_resnet50_384 with its head and final norm taken off."""
    with torch.device('meta'):
        theirs = timm.create_model('vit_base_r50_s16_384').state_dict()
        ours = VisionTransformerDPT(out_indices=(8, 11), stem=dict(type='ResNetV2')).state_dict()
    expected = from_timm(theirs)
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in expected.items()}
