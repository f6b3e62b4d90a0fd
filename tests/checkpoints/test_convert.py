"""What is not explained is an error that names it."""

import pytest
import torch

from mmdpt.checkpoints import detect, to_foreign, to_ours
from mmdpt.errors import InputError


def test_another_shape_is_named_beside_that_of_the_first_layer(isl_org_state):
    state = isl_org_state('base-midas') | {'pretrained.model.blocks.3.norm2.bias': torch.zeros(5)}
    message = r'another shape: backbone\.layers\.3\.ln2\.bias: \(5,\), layer 0 has \(32,\)$'
    with pytest.raises(InputError, match=message):
        to_ours(state)


def test_what_cannot_be_exported_is_refused(isl_org_state, build_model):
    ours = build_model('depth').state_dict()
    for state, target, message in (
        (ours | {'depth_head.extra': torch.zeros(1)}, 'isl-org', r'1 unexpected: depth_head\.ex'),
        (isl_org_state('base-midas'), 'huggingface', 'only a model of mmdpt'),
        (ours, 'smp', 'smp has no depth model with a ViT backbone'),
    ):
        with pytest.raises(InputError, match=message):
            to_foreign(state, target)


def test_our_own_state_dict_stays(build_model):
    ours = build_model('depth').state_dict()
    converted, report = to_ours(ours)
    assert converted.keys() == ours.keys()
    assert (report.source, report.task) == ('mmdpt', 'depth')


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
    'dinov3': ('storage_tokens', 'blocks.0.mlp.fc1.weight', 'blocks.0.attn.qkv.weight'),
}


@pytest.mark.parametrize('source', MINIMAL)
def test_the_source_shows_in_the_keys_and_a_wrong_one_is_refused(source):
    assert detect(MINIMAL[source]).source == source
    assert detect(MINIMAL[source], source).source == source
    wrong = 'timm' if source != 'timm' else 'smp'
    with pytest.raises(InputError, match=f'no layout of {wrong}'):
        detect(MINIMAL[source], wrong)


def test_an_unknown_layout_is_refused_with_its_keys_and_an_unknown_source():
    with pytest.raises(InputError, match=r'no known layout .* conv1\.weight, bn1\.weight$'):
        detect(['conv1.weight', 'bn1.weight'])
    with pytest.raises(InputError, match=r"source must be one of auto, mmdpt, .* got 'caffe'"):
        detect(['conv1.weight'], 'caffe')


def test_hybrid_and_task_show_in_the_keys(isl_org):
    for name, shapes in isl_org[0]['shapes'].items():
        layout = detect(shapes)
        assert layout.task == ('segmentation' if name.endswith('ade20k') else 'depth')
        stem = 'backbone.stem.conv.weight' in {pair.ours for pair in layout.pairs}
        assert stem == ('hybrid' in name)
