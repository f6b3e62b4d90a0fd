"""Backbone, reassemble, fusion and heads equal transformers' DPT with the same weights."""

import pytest
import tiny
import torch
from families import hybrid, maps_of, plain, predict
from tiny_dpt import CHANNELS, CLASSES, WIDTHS, build, converted
from transformers import DPTForDepthEstimation, DPTForSemanticSegmentation

pytestmark = pytest.mark.parity

SIZES = [(96, 96), (64, 64), (160, 160), (96, 160), (224, 128)]
CASES = pytest.mark.parametrize(
    ('readout_type', 'is_hybrid'),
    [('ignore', False), ('add', False), ('project', False), ('project', True)],
)


def reference(cls, readout_type, is_hybrid, batch_norm):
    settings = dict(
        cls=cls,
        image_size=96,
        fusion_hidden_size=CHANNELS,
        num_labels=CLASSES,
        readout_type=readout_type,
        use_batch_norm_in_fusion_residual=batch_norm,
        use_bias_in_fusion_residual=not batch_norm,
    )
    if is_hybrid:
        model = hybrid('tiny', 32, (1, 2, 2), (3, 4), WIDTHS[2:], **settings)
    else:
        model = plain('tiny', WIDTHS, **settings)
    return tiny.draw_weights(model, filters='backbone')


@pytest.mark.parametrize('size', SIZES)
@CASES
def test_logits_equal_transformers(readout_type, is_hybrid, size):
    theirs = reference(DPTForSemanticSegmentation, readout_type, is_hybrid, batch_norm=True)
    ours = build('segmentation', is_hybrid, head=dict(readout_type=readout_type))
    ours.load_state_dict(converted(theirs.state_dict(), 'huggingface', 'segmentation'))
    head, image = ours['decode_head'], torch.randn(2, 3, *size)
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
def test_depth_equals_transformers(readout_type, is_hybrid, size):
    """The taps, the fusion without BatchNorm and with bias, and the output.

    For an odd number of patches, transformers gives more pixels than the image has.
    """
    theirs = reference(DPTForDepthEstimation, readout_type, is_hybrid, batch_norm=False)
    ours = build('depth', is_hybrid, head=dict(readout_type=readout_type, resized='skip'))
    ours.load_state_dict(converted(theirs.state_dict(), 'huggingface', 'depth'))
    head, image = ours['decode_head'], torch.randn(2, 3, *size)
    with torch.no_grad():
        maps, neck = maps_of(theirs, image)
        taps = ours['backbone'](image)
        fused, penultimate = head.fusion(head.reassemble(taps))
        depth, expected = head(taps), predict(theirs, image)
    for (feature, readout), expected_map in zip(taps, maps, strict=True):
        if expected_map.ndim == 4:  # of the stem
            tiny.assert_close(feature, expected_map)
        else:
            tiny.assert_close(feature.flatten(2).transpose(1, 2), expected_map[:, 1:])
            tiny.assert_close(readout, expected_map[:, 0])
    tiny.assert_close(fused, neck[-1])
    tiny.assert_close(penultimate, neck[-2])
    assert depth.shape == (2, 1, *size) and depth.max() > 0
    tiny.assert_close(depth, expected)
