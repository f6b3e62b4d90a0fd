"""isl-org/DPT's files become ours without remainder, and ours become theirs."""

import pytest
import torch

from mmdpt.checkpoints import compare, to_foreign, to_ours
from mmdpt.models import DepthDPTHead, VisionTransformerDPT

CASES = [
    (task, hybrid, scriptable)
    for task in ('depth', 'segmentation')
    for hybrid in (False, True)
    for scriptable in (False, True)
]


def assert_bitwise_equal(state, other):
    assert state.keys() == other.keys()
    for key, value in state.items():
        assert torch.equal(value, other[key]), key


@pytest.mark.parametrize(('task', 'hybrid', 'scriptable'), CASES)
def test_every_key_is_mapped_or_dead_and_fills_our_model(
    isl_org_state, build_model, task, hybrid, scriptable
):
    theirs = isl_org_state(task, hybrid, scriptable)
    converted, report = to_ours(theirs)
    assert (report.source, report.task) == ('isl-org', task)
    used = {key for keys in report.mapped.values() for key in keys} | set(report.dropped)
    assert used == set(theirs)
    mismatch = compare(build_model(task, hybrid, auxiliary=not scriptable), converted)
    assert mismatch.fills and not mismatch.unexpected
    units = [key for key in theirs if key.startswith('scratch.refinenet4.resConfUnit1.')]
    dead = [f'pretrained.model.{name}.{x}' for name in ('norm', 'head') for x in ('weight', 'bias')]
    assert set(report.dropped) == {*units, *dead}


@pytest.mark.parametrize('hybrid', [False, True])
@pytest.mark.parametrize('task', ['depth', 'segmentation'])
def test_theirs_to_ours_and_back_is_bitwise_equal_where_it_lives(isl_org_state, task, hybrid):
    theirs = isl_org_state(task, hybrid)
    converted, report = to_ours(theirs)
    back, _ = to_foreign(converted, 'isl-org')
    assert {key: value.shape for key, value in back.items()} == {
        key: value.shape for key, value in theirs.items()
    }
    live = theirs.keys() - report.dropped.keys()
    assert_bitwise_equal({k: back[k] for k in live}, {k: theirs[k] for k in live})


@pytest.mark.parametrize('hybrid', [False, True])
@pytest.mark.parametrize('task', ['depth', 'segmentation'])
def test_ours_to_theirs_and_back_is_bitwise_equal(build_model, task, hybrid):
    ours = build_model(task, hybrid).state_dict()
    theirs, _ = to_foreign(ours, 'isl-org')
    assert_bitwise_equal(to_ours(theirs)[0], ours)


def test_the_exported_keys_are_theirs(isl_org_state, build_model):
    """Also for a model without an auxiliary output, which isl-org's strict loading asks for."""
    ours = build_model('segmentation', auxiliary=False).state_dict()
    theirs, report = to_foreign(ours, 'isl-org')
    assert theirs.keys() == isl_org_state('segmentation').keys()
    assert 'auxlayer.4.bias' in report.filled


def test_taps_fusion_and_outputs_go_where_they_belong(isl_org_state):
    theirs = isl_org_state('segmentation')
    ours, _ = to_ours(theirs)
    for our_key, their_key in (
        ('backbone.layers.4.ffn.layers.1.bias', 'pretrained.model.blocks.4.mlp.fc2.bias'),
        (
            'decode_head.reassemble.blocks.0.read.project.weight',
            'pretrained.act_postprocess1.0.project.0.weight',
        ),
        (
            'decode_head.reassemble.blocks.3.resample.weight',
            'pretrained.act_postprocess4.4.weight',
        ),
        ('decode_head.reassemble.blocks.2.to_fusion.weight', 'scratch.layer3_rn.weight'),
        ('decode_head.fusion.blocks.0.project.weight', 'scratch.refinenet4.out_conv.weight'),
        (
            'decode_head.fusion.blocks.3.residual_unit1.norm2.running_var',
            'scratch.refinenet1.resConfUnit1.bn2.running_var',
        ),
        ('decode_head.conv_seg.weight', 'scratch.output_conv.4.weight'),
        ('decode_head.auxiliary.project.bn.bias', 'auxlayer.1.bias'),
    ):
        assert torch.equal(ours[our_key], theirs[their_key]), our_key


def test_readout_ignore_has_no_readout_parameters(isl_org_state, build_model):
    theirs = {k: v for k, v in isl_org_state('depth').items() if '.0.project.0.' not in k}
    converted, _ = to_ours(theirs)
    model = build_model('depth', head=dict(readout_type='ignore'))
    assert compare(model, converted).fills


def test_dpt_large_has_the_published_number_of_parameters():
    """344,055,465 with the dead ones, of which 2,207,208 (facts of isl-org/DPT's model)."""
    with torch.device('meta'):
        model = torch.nn.ModuleDict(
            dict(
                backbone=VisionTransformerDPT('large', out_indices=(5, 11, 17, 23)),
                decode_head=DepthDPTHead(
                    embed_dims=1024, reassemble_channels=(256, 512, 1024, 1024)
                ),
            )
        )
        theirs, report = to_foreign(model.state_dict(), 'isl-org')
    assert sum(value.numel() for value in theirs.values()) == 344_055_465
    assert sum(theirs[key].numel() for key in report.filled) == 2_207_208
