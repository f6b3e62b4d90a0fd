"""mmsegmentation's DPT gives the same logits here, and what could not be equal is refused."""

import pytest
import tiny
import torch
from mmseg.models import DPTHead as MMSegDPTHead
from mmseg.models import VisionTransformer

from mmdpt.checkpoints import to_ours
from mmdpt.errors import InputError

DIMS, WIDTHS, CHANNELS, CLASSES = 48, (16, 32, 48, 64), 32, 7
OUT_INDICES = (0, 1, 3, 4)


@pytest.fixture(params=[False, True], ids=['mmseg 1.2', 'older, with patch bias'])
def reference(request):
    backbone = VisionTransformer(
        img_size=96,
        patch_size=16,
        embed_dims=DIMS,
        num_layers=5,
        num_heads=3,
        mlp_ratio=4,
        out_indices=OUT_INDICES,
        with_cls_token=True,
        output_cls_token=True,
        patch_bias=request.param,
    )
    head = MMSegDPTHead(
        in_channels=(DIMS,) * 4,
        channels=CHANNELS,
        embed_dims=DIMS,
        post_process_channels=list(WIDTHS),
        num_classes=CLASSES,
        readout_type='project',
        input_transform='multiple_select',
        in_index=(0, 1, 2, 3),
        norm_cfg=dict(type='BN'),
    )
    return tiny.draw_weights(torch.nn.ModuleDict(dict(backbone=backbone, decode_head=head)))


@pytest.mark.parity
@pytest.mark.parametrize('size', [(96, 96), (64, 64), (96, 160), (192, 128), (80, 112)])
def test_logits_equal_mmseg(reference, build_model, size):
    converted, report = to_ours(reference.state_dict())
    assert (report.source, report.task, report.dropped) == ('mmseg', 'segmentation', {})
    model = build_model(
        'segmentation',
        auxiliary=False,
        backbone=dict(interpolate_mode='bicubic', norm_cfg=dict(type='LN', eps=1e-5)),
        head=dict(align_corners=False, resized='skip'),
    )
    model.load_state_dict(converted)
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = reference['decode_head'](reference['backbone'](image))
        logits = model['decode_head'](model['backbone'](image))
        expected, logits = (
            head.predict_by_feat(maps, [dict(img_shape=size)])
            for head, maps in ((reference['decode_head'], expected), (model['decode_head'], logits))
        )
    assert (logits - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_a_lacking_patch_bias_is_zero(reference):
    converted, report = to_ours(reference.state_dict())
    key = 'backbone.patch_embed.projection.bias'
    if key in reference.state_dict():
        assert torch.equal(converted[key], reference.state_dict()[key]) and not report.filled
    else:
        assert torch.equal(converted[key], torch.zeros(DIMS))
        assert report.filled == {key: 'mmseg >= 1.2 embeds patches without a bias'}


def test_a_final_norm_is_refused(reference):
    state = reference.state_dict() | {'backbone.ln1.weight': torch.ones(DIMS)}
    with pytest.raises(InputError, match='final_norm=True, which normalises the last tap alone'):
        to_ours(state)
