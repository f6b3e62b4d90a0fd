"""Backbone, reassemble, fusion and heads equal transformers' DPT with the same weights."""

import pytest
import tiny
import torch
import torch.nn.functional as F
from transformers import BitConfig, DPTConfig, DPTForDepthEstimation, DPTForSemanticSegmentation

from mmdpt.models import DepthDPTHead, DPTHead, VisionTransformerDPT

pytestmark = pytest.mark.parity

CLASSES, DIMS, CHANNELS = 7, 48, 32
WIDTHS, HYBRID_WIDTHS = (16, 32, 48, 64), (128, 256, 40, 64)
DEPTHS, BASE, STAGES = (1, 2, 2), 32, (128, 256, 512)
SIZES = [(96, 96), (64, 64), (160, 160), (96, 160), (224, 128)]
CASES = pytest.mark.parametrize(
    ('readout_type', 'hybrid'),
    [('ignore', False), ('add', False), ('project', False), ('project', True)],
)
HYBRID = dict(
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
    reassemble_factors=[1, 1, 1, 0.5],
)


def reference(cls, readout_type, hybrid, batch_norm):
    config = DPTConfig(
        hidden_size=DIMS,
        num_hidden_layers=5,
        num_attention_heads=3,
        intermediate_size=4 * DIMS,
        image_size=96,
        patch_size=16,
        backbone_out_indices=[0, 1, 3, 4],
        neck_hidden_sizes=list(HYBRID_WIDTHS if hybrid else WIDTHS),
        fusion_hidden_size=CHANNELS,
        num_labels=CLASSES,
        layer_norm_eps=1e-6,
        readout_type=readout_type,
        use_batch_norm_in_fusion_residual=batch_norm,
        use_bias_in_fusion_residual=not batch_norm,
        **(HYBRID if hybrid else dict(is_hybrid=False)),
    )
    return tiny.draw_weights(cls(config), filters='backbone')


def build(head, readout_type, hybrid, **kwargs):
    backbone, widths = dict(out_indices=(0, 1, 3, 4)), dict(reassemble_channels=WIDTHS)
    if hybrid:
        stem = dict(type='ResNetV2', depths=DEPTHS, base_channels=BASE, standardization='var')
        backbone = dict(out_indices=(3, 4), stem=stem)
        widths = dict(
            reassemble_channels=(None, None, *HYBRID_WIDTHS[2:]),
            reassemble_scales=(1, 1, 1, 0.5),
            patch_size=4,
        )
    arch = dict(embed_dims=DIMS, num_layers=5, num_heads=3, feedforward_channels=4 * DIMS)
    head = head(
        embed_dims=(*STAGES[:2], DIMS, DIMS) if hybrid else DIMS,
        readout_type=readout_type,
        channels=CHANNELS,
        **widths,
        **kwargs,
    )
    backbone = VisionTransformerDPT(arch, img_size=96, **backbone)
    return torch.nn.ModuleDict(dict(backbone=backbone, head=head)).eval()


@pytest.mark.parametrize('size', SIZES)
@CASES
def test_logits_equal_transformers(from_transformers, maps_of, readout_type, hybrid, size):
    theirs = reference(DPTForSemanticSegmentation, readout_type, hybrid, batch_norm=True)
    ours = build(
        DPTHead,
        readout_type,
        hybrid,
        num_classes=CLASSES,
        norm_cfg=dict(type='BN'),
        auxiliary_weight=0.2,
        loss_decode=dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True),
    )
    ours.load_state_dict(from_transformers(theirs.state_dict(), 'segmentation'))
    head, image = ours['head'], torch.randn(2, 3, *size)
    with torch.no_grad():
        _, neck = maps_of(theirs, image)
        expected, auxiliary = theirs.head(neck), theirs.auxiliary_head.head(neck[-2])
        taps = ours['backbone'](image)
        logits = head.upsample(head(taps), size, head.output_stride)
        ours_auxiliary = head.auxiliary(head.fuse(taps)[1])
    assert expected.shape[-2:] == size
    tiny.assert_close(logits, expected)
    tiny.assert_close(ours_auxiliary, auxiliary)


@pytest.mark.parametrize('size', [*SIZES, (80, 112)])
@CASES
def test_depth_equals_transformers(from_transformers, maps_of, readout_type, hybrid, size):
    """The taps, the fusion without BatchNorm and with bias, and the output.

    Of an odd number of patches, transformers gives more pixels than the image has.
    """
    theirs = reference(DPTForDepthEstimation, readout_type, hybrid, batch_norm=False)
    ours = build(DepthDPTHead, readout_type, hybrid, resized='skip')
    ours.load_state_dict(from_transformers(theirs.state_dict(), 'depth'))
    head, image = ours['head'], torch.randn(2, 3, *size)
    with torch.no_grad():
        maps, neck = maps_of(theirs, image)
        taps = ours['backbone'](image)
        fused, penultimate = head.fusion(head.reassemble(taps))
        depth = head(taps)
        expected = F.interpolate(theirs.head(neck)[:, None], size=size, mode='bilinear')[:, 0]
    for (feature, readout), expected_map in zip(taps, maps, strict=True):
        if expected_map.ndim == 4:  # of the stem
            tiny.assert_close(feature, expected_map)
        else:
            tiny.assert_close(feature.flatten(2).transpose(1, 2), expected_map[:, 1:])
            tiny.assert_close(readout, expected_map[:, 0])
    tiny.assert_close(fused, neck[-1])
    tiny.assert_close(penultimate, neck[-2])
    assert depth.shape == (2, 1, *size) and depth.max() > 0
    tiny.assert_close(depth[:, 0], expected)
