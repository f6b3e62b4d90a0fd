"""The DPT of mmsegmentation and SMP gives the same numbers here, or is refused."""

import pytest
import segmentation_models_pytorch as smp
import tiny
import torch
from mmseg.models import DPTHead as MMSegDPTHead
from mmseg.models import VisionTransformer
from tiny_dpt import CHANNELS, CLASSES, DIMS, TAPS, WIDTHS, build

from mmdpt.checkpoints import to_ours
from mmdpt.errors import InputError


@pytest.fixture(params=[False, True], ids=['mmseg 1.2', 'older, with patch bias'])
def reference(request):
    backbone = VisionTransformer(
        img_size=96,
        patch_size=16,
        embed_dims=DIMS,
        num_layers=5,
        num_heads=3,
        mlp_ratio=4,
        out_indices=TAPS,
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
def test_logits_equal_mmseg(reference, size):
    converted, report = to_ours(reference.state_dict())
    assert (report.source, report.task, report.dropped) == ('mmseg', 'segmentation', {})
    bias = 'backbone.patch_embed.projection.bias'
    if bias in reference.state_dict():
        assert not report.filled
    else:
        assert report.filled == {bias: 'mmseg >= 1.2 embeds patches without a bias'}
    model = build(
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


def test_a_final_norm_is_refused(reference):
    state = reference.state_dict() | {'backbone.ln1.weight': torch.ones(DIMS)}
    with pytest.raises(InputError, match='final_norm=True, which normalises the last tap alone'):
        to_ours(state)


SMP_DIMS = 192
SMP_OUT_INDICES = (2, 5, 8, 11)
COARSEST = 'decoder.fusion_blocks.0.residual_conv_block1.batch_norm_2'


def build_reference(size, **settings):
    model = smp.DPT(
        encoder_name='tu-vit_tiny_patch16_224',
        encoder_weights=None,
        encoder_output_indices=list(SMP_OUT_INDICES),
        decoder_intermediate_channels=WIDTHS,
        decoder_fusion_channels=CHANNELS,
        classes=CLASSES,
        img_size=size,
        **settings,
    )
    return tiny.draw_weights(model)


def silence_coarsest_unit(model):
    norm = model.get_submodule(COARSEST)
    torch.nn.init.zeros_(norm.weight)
    torch.nn.init.zeros_(norm.bias)
    return model


@pytest.mark.parity
@pytest.mark.parametrize(
    ('trained', 'size'),
    [((96, 96), (96, 96)), ((64, 128), (64, 128)), ((96, 96), (64, 128))],
)
def test_masks_equal_smp_where_its_coarsest_unit_adds_nothing(trained, size):
    """At another size too, with the interpolation that the report names."""
    reference = build_reference(trained, dynamic_img_size=trained != size)
    converted, report = to_ours(silence_coarsest_unit(reference).state_dict())
    assert (report.source, report.task) == ('smp', 'segmentation')
    assert 'interpolate_mode=bicubic-antialias;' in report.settings
    backbone = dict(
        arch='deit-tiny', out_indices=SMP_OUT_INDICES, interpolate_mode='bicubic-antialias'
    )
    model = build(
        'segmentation',
        img_size=trained,
        auxiliary=False,
        backbone=backbone,
        head=dict(embed_dims=SMP_DIMS),
    )
    model.load_state_dict(converted)
    head, image = model['decode_head'], torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = reference(image)
        masks = head.upsample(head(model['backbone'](image)), size, head.output_stride)
    assert (masks - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize('leaf', ['weight', 'bias'])
def test_a_coarsest_unit_that_adds_something_is_refused(leaf):
    reference = silence_coarsest_unit(build_reference((64, 64)))
    state = reference.state_dict()
    state[f'{COARSEST}.{leaf}'][3] = 1e-3
    with pytest.raises(InputError, match=f'{COARSEST}.{leaf} is not zero: SMP runs'):
        to_ours(state)
