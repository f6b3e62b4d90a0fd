"""isl-org/DPT's files become ours without remainder and give its own models' numbers, and back."""

import runpy
from pathlib import Path

import pytest
import torch
from tiny_dpt import narrow

from mmdpt.checkpoints import compare, to_foreign, to_ours

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_isl_org.py')))
DIMS, SIZES, STRIDE = (REFERENCE[name] for name in ('DIMS', 'SIZES', 'STRIDE'))
VARIANTS = [*REFERENCE['VARIANTS'], *(f'scriptable-{x}' for x in REFERENCE['SCRIPTABLE'])]
LEAVES = ('weight', 'bias')
UNRELEASED = {'base-midas': 'dpt_vit-b16_mix6', 'base-ade20k': 'dpt_vit-b16_ade20k'}


def build(name, **changed):
    """Build the config of a released checkpoint, with its taps and constants, narrow."""
    variant = name.removeprefix('scriptable-')
    reference, classes = REFERENCE['VARIANTS'][variant]
    widths, settings = REFERENCE['WIDTHS'][reference], {}
    if 'hybrid' in name:
        settings['backbone.stem.base_channels'] = REFERENCE['BASE']
        settings['decode_head.embed_dims'] = (*widths[:2], DIMS, DIMS)
        widths = (None, None, *widths[2:])
    if 'num_classes' in classes:
        settings['decode_head.num_classes'] = classes['num_classes']
        if name != variant:
            settings['decode_head.auxiliary_weight'] = 0  # dpt_scriptable has no auxlayer
    config = UNRELEASED.get(variant, f'dpt-{variant}')
    return narrow(config, REFERENCE, 24 if 'large' in name else 12, widths, settings | changed)


def deviations(isl_org, isl_org_state, name, **changed):
    """Give the greatest deviation of each size, relative to the greatest value."""
    theirs = isl_org_state(name)
    converted, report = to_ours(theirs)
    assert report.source == 'isl-org'
    assert report.task == ('segmentation' if name.endswith('ade20k') else 'depth')
    units = [key for key in theirs if key.startswith('scratch.refinenet4.resConfUnit1.')]
    dead = [f'pretrained.model.{part}.{x}' for part in ('norm', 'head') for x in LEAVES]
    assert set(report.dropped) == {*units, *dead}
    model = build(name, **changed)
    model.load_state_dict(converted)  # strictly
    for size in SIZES:
        with torch.no_grad():
            output = predict(model, REFERENCE['image'](size))[..., ::STRIDE, ::STRIDE]
        expected = isl_org[0][f'{name} {size}']
        assert output.shape == expected.shape
        yield ((output - expected).abs().max() / expected.abs().max()).item()


def predict(model, image):
    """Predict at the size of the image: far depths too, which no released model cuts off."""
    meta = dict(img_shape=image.shape[-2:])
    if model.decode_head.num_classes == 1:
        return model.encode_decode(image, [meta])[:, 0]
    return model.decode_head.predict(model.backbone(image), [meta], None)


@pytest.mark.parity
@pytest.mark.parametrize('name', VARIANTS)
def test_outputs_equal_isl_org(isl_org, isl_org_state, name):
    """Every key of theirs is mapped or dead, and they fill our model."""
    assert all(error <= 1e-5 for error in deviations(isl_org, isl_org_state, name))


@pytest.mark.parity
@pytest.mark.parametrize(
    ('name', 'option', 'value'),
    [
        ('large-midas', 'backbone.out_indices', (4, 11, 17, 23)),
        ('large-midas', 'backbone.interpolate_mode', 'bicubic'),
        ('base-midas', 'backbone.norm_cfg', dict(type='LN', eps=1e-5)),
        ('hybrid-midas', 'backbone.stem.standardization', 'var'),
        ('hybrid-nyu', 'decode_head.inversion', (0.000305, 0.1379)),
        ('hybrid-kitti', 'decode_head.inversion', (0.0000602, 0.00579)),
        ('large-ade20k', 'decode_head.align_corners', False),
    ],
)
def test_the_record_tells_a_change_apart(isl_org, isl_org_state, name, option, value):
    assert max(deviations(isl_org, isl_org_state, name, **{option: value})) > 1e-4


@pytest.mark.parametrize('name', REFERENCE['VARIANTS'])
def test_exported_keys_and_shapes_are_those_of_their_model(isl_org, name):
    exported, _ = to_foreign(build(name).state_dict(), 'isl-org')
    shapes = {key: list(value.shape) for key, value in exported.items()}
    assert shapes == isl_org[1]['shapes'][name]


def test_a_lacking_auxiliary_output_is_filled(isl_org):
    """isl-org's strict loading asks for one."""
    ours = build('base-ade20k', **{'decode_head.auxiliary_weight': 0}).state_dict()
    theirs, report = to_foreign(ours, 'isl-org')
    assert theirs.keys() == isl_org[1]['shapes']['base-ade20k'].keys()
    assert 'auxlayer.4.bias' in report.filled


def test_the_auxiliary_output_which_no_prediction_uses_goes_where_it_belongs(isl_org_state):
    theirs = isl_org_state('base-ade20k')
    ours, _ = to_ours(theirs)
    assert torch.equal(ours['decode_head.auxiliary.project.bn.bias'], theirs['auxlayer.1.bias'])


def test_readout_ignore_has_no_readout_parameters(isl_org_state):
    theirs = isl_org_state('base-midas')
    converted, _ = to_ours({k: v for k, v in theirs.items() if '.0.project.0.' not in k})
    model = build('base-midas', **{'decode_head.readout_type': 'ignore'})
    assert compare(model, converted).fills
