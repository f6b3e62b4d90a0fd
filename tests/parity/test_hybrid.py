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
from tiny_dpt import DIMS, STAGES, STEM, converted, encoder

from mmdpt.models import VisionTransformerDPT
from mmdpt.models.backbones.resnetv2 import ResNetV2

pytestmark = pytest.mark.parity

BASE, DEPTHS = STEM['base_channels'], STEM['depths']
SIZES = [(96, 96), (160, 160), (96, 160), (224, 128)]


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


def stem_of(theirs, standardization):
    """Build our stem with the weights of timm's."""
    ours = ResNetV2(DEPTHS, BASE, standardization).eval()
    weights = {
        re.sub(r'\.blocks\.(\d+)\.', r'.\1.', key).removeprefix('stem.'): value
        for key, value in theirs.state_dict().items()
    }
    ours.load_state_dict(weights)
    return ours


@pytest.mark.parametrize('size', [*SIZES, (97, 130), (63, 45), (17, 6)])
@pytest.mark.parametrize('standardization', ['std', 'var'])
@torch.no_grad()
def test_stages_equal_timm(standardization, size):
    theirs = tiny.draw_weights(timm_stem(standardization), filters='')
    ours, image = stem_of(theirs, standardization), torch.randn(2, 3, *size)
    expected = theirs.forward_intermediates(image, indices=[1, 2, 3], intermediates_only=True)
    for feature, timm_feature in zip(ours(image), expected, strict=True):
        tiny.assert_close(feature, timm_feature)


@torch.no_grad()
def test_the_two_formulas_are_told_apart():
    theirs = tiny.draw_weights(timm_stem('std'), filters='')
    ours, image = stem_of(theirs, 'var'), torch.randn(1, 3, 64, 64)
    expected = theirs(image)
    assert (ours(image)[-1] - expected).abs().max() > 1e-2 * expected.abs().max()


@pytest.mark.parametrize('standardization', ['std', 'var'])
@pytest.mark.parametrize('size', SIZES)
@torch.no_grad()
def test_blocks_equal_timm_on_its_hybrid_embedding(size, standardization):
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
    ours = encoder(out_indices=(2, 4), stem=dict(STEM, standardization=standardization)).eval()
    weights = converted(theirs.state_dict(), 'timm')
    patches = torch.randn(1, DIMS, 6, 6)
    token = weights['pos_embed'][:, :1]
    weights['pos_embed'] = torch.cat([token, patches.flatten(2).transpose(1, 2)], dim=1)
    ours.load_state_dict(weights)
    grid = (size[0] // 16, size[1] // 16)
    patches = F.interpolate(patches, grid, mode='bilinear', align_corners=False)
    theirs.pos_embed.data = torch.cat([token, patches.flatten(2).transpose(1, 2)], dim=1)
    image = torch.randn(1, 3, *size)
    expected = theirs.forward_intermediates(
        image, indices=[2, 4], return_prefix_tokens=True, intermediates_only=True
    )
    taps = zip(ours(image)[2:], expected, strict=True)
    for (feature, readout), (timm_feature, timm_prefix) in taps:
        tiny.assert_close(feature, timm_feature)
        tiny.assert_close(readout, timm_prefix[:, 0])


def test_full_size_has_the_parameters_of_timms_vit_base_r50_s16_384():
    """Which is isl-org/DPT's vit_base_resnet50_384 with its head and final norm taken off."""
    with torch.device('meta'):
        theirs = timm.create_model('vit_base_r50_s16_384').state_dict()
        ours = VisionTransformerDPT(out_indices=(8, 11), stem=dict(type='ResNetV2')).state_dict()
    expected = converted(theirs, 'timm')
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in expected.items()}
