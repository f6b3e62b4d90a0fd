"""DPT-Hybrid with the same weights: stem and blocks of timm, depth and logits of transformers."""

import re
from functools import partial

import pytest
import timm
import torch
import torch.nn.functional as F
from timm.layers import HybridEmbed, StdConv2dSame
from timm.layers.padding import pad_same
from timm.models.resnetv2 import ResNetV2 as TimmResNetV2
from timm.models.vision_transformer import VisionTransformer as TimmViT
from transformers import BitConfig, DPTConfig, DPTForDepthEstimation, DPTForSemanticSegmentation

from mmdpt.models import DepthDPTHead, DPTHead, VisionTransformerDPT
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


def randomize(model):
    """Random weights and statistics; filters down to 1e-5, where the two formulas differ."""
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, std=0.1)
        if parameter.ndim == 4 and ('backbone' in name or isinstance(model, TimmResNetV2)):
            parameter.data *= torch.logspace(-4, 0, len(parameter))[:, None, None, None]
    for name, buffer in model.named_buffers():
        if name.endswith('running_mean'):
            torch.nn.init.normal_(buffer, std=0.1)
        elif name.endswith('running_var'):
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
    return model.eval()


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


def assert_close(ours, theirs):
    scale = theirs.abs().max()
    torch.testing.assert_close(ours / scale, theirs / scale, rtol=0, atol=1e-5)


@pytest.mark.parametrize('size', [*SIZES, (97, 130), (63, 45), (17, 6)])
@pytest.mark.parametrize('standardization', ['std', 'var'])
def test_stages_equal_timm(standardization, size):
    theirs = randomize(timm_stem(standardization))
    ours = ResNetV2(DEPTHS, BASE, standardization).eval()
    ours.load_state_dict(from_timm_stem(theirs.state_dict()))
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = theirs.forward_intermediates(image, indices=[1, 2, 3], intermediates_only=True)
        for feature, timm_feature in zip(ours(image), expected, strict=True):
            assert_close(feature, timm_feature)


def test_the_two_formulas_are_told_apart():
    theirs = randomize(timm_stem('std'))
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
    theirs = randomize(
        TimmViT(
            img_size=size,
            patch_size=1,
            embed_dim=DIMS,
            depth=5,
            num_heads=3,
            num_classes=0,
            embed_layer=embed,
        )
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
        assert_close(feature, timm_feature)
        assert_close(readout, timm_prefix[:, 0])


def test_full_size_has_the_parameters_of_timms_vit_base_r50_s16_384(from_timm):
    """Which is isl-org/DPT's vit_base_resnet50_384 with its head and final norm taken off."""
    with torch.device('meta'):
        theirs = timm.create_model('vit_base_r50_s16_384').state_dict()
        ours = VisionTransformerDPT(out_indices=(8, 11), stem=dict(type='ResNetV2')).state_dict()
    expected = from_timm(theirs)
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in expected.items()}


def transformers_model(cls, batch_norm):
    config = DPTConfig(
        is_hybrid=True,
        backbone_config=BitConfig(
            embedding_size=BASE,
            hidden_sizes=list(STAGES),
            depths=list(DEPTHS),
            layer_type='bottleneck',
            global_padding='same',
            embedding_dynamic_padding=True,
            out_features=['stage1', 'stage2', 'stage3'],
        ),
        backbone_featmap_shape=[1, STAGES[-1], 6, 6],
        hidden_size=DIMS,
        num_hidden_layers=5,
        num_attention_heads=3,
        intermediate_size=4 * DIMS,
        image_size=96,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 4],
        neck_hidden_sizes=list(WIDTHS),
        reassemble_factors=[1, 1, 1, 0.5],
        fusion_hidden_size=CHANNELS,
        num_labels=CLASSES,
        layer_norm_eps=1e-6,
        use_batch_norm_in_fusion_residual=batch_norm,
        use_bias_in_fusion_residual=not batch_norm,
    )
    return randomize(cls(config))


def transformers_maps(model, image):
    """Run transformers' encoder and neck; its own forward refuses other sizes than image_size."""
    embedded = model.dpt.embeddings(image, interpolate_pos_encoding=True)
    tokens, maps = embedded.last_hidden_states, list(embedded.intermediate_activations)
    for index, layer in enumerate(model.dpt.encoder.layer):
        tokens = layer(tokens)
        if index in (2, 4):
            maps.append(tokens)
    return maps, model.neck(maps, image.shape[-2] // 16, image.shape[-1] // 16)


def build(head, **kwargs):
    head = head(
        embed_dims=(*STAGES[:2], DIMS, DIMS),
        reassemble_channels=(None, None, *WIDTHS[2:]),
        reassemble_scales=(1, 1, 1, 0.5),
        patch_size=4,
        readout_type='project',
        channels=CHANNELS,
        **kwargs,
    )
    return torch.nn.ModuleDict(dict(backbone=build_backbone('var'), head=head)).eval()


@pytest.mark.parametrize('size', SIZES)
def test_depth_equals_transformers(from_transformers, size):
    theirs = transformers_model(DPTForDepthEstimation, batch_norm=False)
    ours = build(DepthDPTHead)
    ours.load_state_dict(from_transformers(theirs.state_dict(), 'depth'))
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        maps, neck = transformers_maps(theirs, image)
        taps = ours['backbone'](image)
        depth, expected = ours['head'](taps), theirs.head(neck)
        fused, _ = ours['head'].fusion(ours['head'].reassemble(taps))
    for (feature, _), expected_map in zip(taps[:2], maps[:2], strict=True):
        assert_close(feature, expected_map)
    for (feature, readout), tokens in zip(taps[2:], maps[2:], strict=True):
        assert_close(feature.flatten(2).transpose(1, 2), tokens[:, 1:])
        assert_close(readout, tokens[:, 0])
    assert_close(fused, neck[-1])
    assert depth.shape == (2, 1, *size) and depth.max() > 0
    assert_close(depth[:, 0], expected)


@pytest.mark.parametrize('size', SIZES)
def test_segmentation_equals_transformers(from_transformers, size):
    theirs = transformers_model(DPTForSemanticSegmentation, batch_norm=True)
    ours = build(
        DPTHead,
        num_classes=CLASSES,
        norm_cfg=dict(type='BN'),
        auxiliary_weight=0.2,
        loss_decode=dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True),
    )
    ours.load_state_dict(from_transformers(theirs.state_dict(), 'segmentation'))
    head, image = ours['head'], torch.randn(2, 3, *size)
    with torch.no_grad():
        _, neck = transformers_maps(theirs, image)
        expected, auxiliary = theirs.head(neck), theirs.auxiliary_head.head(neck[-2])
        taps = ours['backbone'](image)
        logits = head.upsample(head(taps), size, head.output_stride)
        ours_auxiliary = head.auxiliary(head.fuse(taps)[1])
    assert expected.shape[-2:] == size
    assert_close(logits, expected)
    assert_close(ours_auxiliary, auxiliary)
