"""What is not explained is an error that names it."""

import pytest
import torch
from tiny_dpt import build

from mmdpt.checkpoints import detect, to_foreign, to_ours
from mmdpt.errors import InputError


def test_another_shape_is_named_beside_that_of_the_first_layer(isl_org_state):
    state = isl_org_state('base-midas') | {'pretrained.model.blocks.3.norm2.bias': torch.zeros(5)}
    message = r'another shape: backbone\.layers\.3\.ln2\.bias: \(5,\), layer 0 has \(32,\)$'
    with pytest.raises(InputError, match=message):
        to_ours(state)


def test_what_cannot_be_exported_is_refused(isl_org_state):
    ours = build('depth').state_dict()
    for state, target, message in (
        (ours | {'depth_head.extra': torch.zeros(1)}, 'isl-org', r'1 unexpected: depth_head\.ex'),
        (isl_org_state('base-midas'), 'huggingface', 'only a model of mmdpt'),
        (ours, 'smp', 'smp has no depth model with a ViT backbone'),
    ):
        with pytest.raises(InputError, match=message):
            to_foreign(state, target)


def test_our_own_state_dict_stays():
    ours = build('depth').state_dict()
    converted, report = to_ours(ours)
    assert converted.keys() == ours.keys()
    assert (report.source, report.task) == ('mmdpt', 'depth')


def test_the_input_is_not_changed_and_the_report_tells_what_was_dropped_and_why(isl_org_state):
    state = isl_org_state('base-midas')
    before = {key: value.clone() for key, value in state.items()}
    text = str(to_ours(state)[1])
    assert state.keys() == before.keys()
    assert all(torch.equal(state[key], before[key]) for key in state)
    assert text.startswith('isl-org (depth): ')
    assert 'dropped, classifier of the pretraining: pretrained.model.head.weight' in text
    assert 'dropped, the coarsest fusion block has no skip to refine: scratch.refinenet4' in text
    assert 'decode_head.inversion' in text


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('auto', r'no known layout .* conv1\.weight, bn1\.weight$'),
        ('timm', r'no layout of timm .* conv1\.weight, bn1\.weight$'),
        ('caffe', r"source must be one of auto, mmdpt, .* got 'caffe'"),
    ],
)
def test_an_unknown_layout_is_refused_with_its_keys_and_an_unknown_source(source, message):
    with pytest.raises(InputError, match=message):
        detect(['conv1.weight', 'bn1.weight'], source)


def test_source_hybrid_and_task_show_in_the_keys(isl_org):
    for name, shapes in isl_org[1]['shapes'].items():
        layout = detect(shapes)
        assert layout == detect(shapes, 'isl-org') and layout.source == 'isl-org'
        assert layout.task == ('segmentation' if name.endswith('ade20k') else 'depth')
        stem = 'backbone.stem.conv.weight' in {pair.ours for pair in layout.pairs}
        assert stem == ('hybrid' in name)
        with pytest.raises(InputError, match='no layout of smp'):
            detect(shapes, 'smp')
