"""SMP's DPT gives the same masks here where that is possible, and is refused where not."""

import pytest
import segmentation_models_pytorch as smp
import tiny
import torch

from mmdpt.checkpoints import to_ours
from mmdpt.errors import InputError

DIMS, WIDTHS, CHANNELS, CLASSES = 192, (16, 32, 48, 64), 32, 7
OUT_INDICES = (2, 5, 8, 11)
COARSEST = 'decoder.fusion_blocks.0.residual_conv_block1.batch_norm_2'


def build_reference(size, **settings):
    model = smp.DPT(
        encoder_name='tu-vit_tiny_patch16_224',
        encoder_weights=None,
        encoder_output_indices=list(OUT_INDICES),
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
def test_masks_equal_smp_where_its_coarsest_unit_adds_nothing(build_model, trained, size):
    """At another size too, with the interpolation that the report names."""
    reference = build_reference(trained, dynamic_img_size=trained != size)
    converted, report = to_ours(silence_coarsest_unit(reference).state_dict())
    assert (report.source, report.task) == ('smp', 'segmentation')
    assert 'interpolate_mode=bicubic-antialias;' in report.settings
    backbone = dict(arch='deit-tiny', out_indices=OUT_INDICES, interpolate_mode='bicubic-antialias')
    model = build_model(
        'segmentation',
        img_size=trained,
        auxiliary=False,
        backbone=backbone,
        head=dict(embed_dims=DIMS),
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
