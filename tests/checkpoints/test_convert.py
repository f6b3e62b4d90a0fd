"""What is not explained is an error that names it."""

import pytest
import torch

from mmdpt.checkpoints import detect, to_foreign, to_ours
from mmdpt.errors import InputError


def test_an_unexpected_key_is_named(isl_org_state):
    state = isl_org_state('base-midas') | {'scratch.extra.weight': torch.zeros(1)}
    with pytest.raises(InputError, match=r'1 unexpected: scratch\.extra\.weight$'):
        to_ours(state)


def test_a_missing_layer_is_named(isl_org_state):
    state = {k: v for k, v in isl_org_state('base-midas').items() if '.blocks.2.' not in k}
    message = r'12 missing: pretrained\.model\.blocks\.2\.norm1\.weight'
    with pytest.raises(InputError, match=message):
        to_ours(state)


def test_a_layer_of_another_shape_is_named(isl_org_state):
    state = isl_org_state('base-midas')
    state['pretrained.model.blocks.3.norm2.bias'] = torch.zeros(5)
    message = r'1 of another shape: backbone\.layers\.3\.ln2\.bias: \(5,\), layer 0 has \(32,\)$'
    with pytest.raises(InputError, match=message):
        to_ours(state)


def test_our_own_state_dict_stays(build_model):
    ours = build_model('depth').state_dict()
    converted, report = to_ours(ours)
    assert converted.keys() == ours.keys()
    assert (report.source, report.task) == ('mmdpt', 'depth')


def test_an_unexpected_key_of_ours_is_named(build_model):
    ours = build_model('depth').state_dict() | {'depth_head.extra': torch.zeros(1)}
    with pytest.raises(InputError, match=r'1 unexpected: depth_head\.extra$'):
        to_foreign(ours, 'isl-org')


def test_the_input_is_not_changed(isl_org_state):
    state = isl_org_state('base-ade20k')
    before = {key: value.clone() for key, value in state.items()}
    to_ours(state)
    assert state.keys() == before.keys()
    assert all(torch.equal(state[key], before[key]) for key in state)


def test_the_report_tells_what_was_dropped_and_why(isl_org_state):
    text = str(to_ours(isl_org_state('base-midas'))[1])
    assert text.startswith('isl-org (depth): ')
    assert 'dropped, classifier of the pretraining: pretrained.model.head.weight' in text
    assert 'dropped, the coarsest fusion block has no skip to refine: scratch.refinenet4' in text
    assert 'decode_head.inversion' in text


def test_a_foreign_state_dict_is_not_exported(isl_org_state):
    with pytest.raises(InputError, match='only a model of mmdpt'):
        to_foreign(isl_org_state('base-midas'), 'huggingface')


def test_a_target_without_such_a_model_is_refused(build_model):
    with pytest.raises(InputError, match='smp has no depth model with a ViT backbone'):
        to_foreign(build_model('depth').state_dict(), 'smp')


MINIMAL = {
    'isl-org': (
        'pretrained.model.blocks.0.norm1.weight',
        'pretrained.model.patch_embed.proj.weight',
        'pretrained.act_postprocess1.3.weight',
        'pretrained.act_postprocess3.3.weight',
        'scratch.output_conv.2.weight',
    ),
    'huggingface': (
        'dpt.encoder.layer.0.layernorm_before.weight',
        'dpt.embeddings.patch_embeddings.projection.weight',
        'neck.fusion_stage.layers.0.projection.weight',
        'head.head.1.weight',
    ),
    'depth-anything': ('pretrained.blocks.0.norm1.weight', 'depth_head.scratch.layer1_rn.weight'),
    'mmseg': (
        'backbone.layers.0.attn.attn.in_proj_weight',
        'decode_head.reassemble_blocks.projects.0.conv.weight',
    ),
    'smp': ('encoder.model.blocks.0.norm1.weight', 'decoder.fusion_blocks.0.project.weight'),
    'timm': ('blocks.0.attn.qkv.weight', 'patch_embed.proj.weight'),
}


@pytest.mark.parametrize('source', MINIMAL)
def test_the_source_shows_in_the_keys(source):
    assert detect(MINIMAL[source]).source == source
    assert detect(MINIMAL[source], source).source == source


@pytest.mark.parametrize('source', MINIMAL)
def test_a_wrong_source_is_refused(source):
    wrong = 'timm' if source != 'timm' else 'smp'
    with pytest.raises(InputError, match=f'no layout of {wrong}'):
        detect(MINIMAL[source], wrong)


def test_an_unknown_layout_is_refused_with_its_keys():
    with pytest.raises(InputError, match=r'no known layout .* conv1\.weight, bn1\.weight$'):
        detect(['conv1.weight', 'bn1.weight'])


def test_an_unknown_source_is_refused():
    with pytest.raises(InputError, match=r"source must be auto or one of .* got 'caffe'"):
        detect(['conv1.weight'], 'caffe')


def test_hybrid_and_task_show_in_the_keys(isl_org):
    for name, shapes in isl_org[0]['shapes'].items():
        layout = detect(shapes)
        assert layout.task == ('segmentation' if name.endswith('ade20k') else 'depth')
        assert layout.hybrid == ('hybrid' in name)
