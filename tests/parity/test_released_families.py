"""What released families predict equals transformers' with the same weights, on any grid."""

import copy

import numpy as np
import pytest
import tiny
import torch
from families import NARROW, OLDER_ATTENTION, predict, predict_ours, renamed
from transformers import AutoImageProcessor, DPTForDepthEstimation

from mmdpt.checkpoints import to_foreign, to_ours
from mmdpt.checkpoints.convert import task_of
from mmdpt.checkpoints.layouts.transformers_folder import write_folder
from mmdpt.checkpoints.pretrained_init import PretrainedInit

pytestmark = pytest.mark.parity
GRIDS = [(5, 5), (8, 8), (4, 7), (3, 6)]


@pytest.fixture(scope='module', params=NARROW)
def family(request):
    """The reference, ours with its weights, and the side of a patch [px]."""
    narrow = NARROW[request.param]
    theirs, ours = tiny.draw_weights(narrow.build()), narrow.ours()
    if isinstance(theirs, DPTForDepthEstimation):
        theirs.head.head[4].weight.data.abs_()  # positive before the ReLU
    for name, parameter in theirs.named_parameters():
        if 'relative_position_bias_table' in name:
            parameter.data *= 20  # so that an error of its interpolation shows
    state = theirs.state_dict()
    ours.load_state_dict(to_ours(state, task=task_of(ours.state_dict()))[0])
    back, report = to_foreign(ours.state_dict(), 'huggingface')
    same = [key for key in state if key not in report.filled]
    assert back.keys() == state.keys() and all(torch.equal(back[k], state[k]) for k in same)
    return theirs, ours, narrow.patch


@pytest.mark.parametrize('grid', GRIDS)
@torch.no_grad()
def test_the_output_equals_transformers(family, grid):
    theirs, ours, patch = family
    image = torch.randn(
        2, 3, *(side * patch for side in grid), generator=torch.Generator().manual_seed(1)
    )
    expected, output = predict(theirs, image), predict_ours(ours, image)
    assert expected.std() > 1e-3 * expected.max() > 0
    assert (output - expected).abs().max() <= 1e-5 * expected.abs().max()


@torch.no_grad()
def test_the_folder_gives_the_same_numbers(family, tmp_path):
    theirs, ours, patch = family
    assert write_folder(ours, ours.state_dict(), tmp_path).settings == ''
    again, info = type(theirs).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info[kind] for kind in ('missing_keys', 'unexpected_keys', 'mismatched_keys'))
    for grid in GRIDS:
        image = torch.randn(2, 3, *(side * patch for side in grid))
        expected, output = (predict(model, image) for model in (theirs, again.eval()))
        assert (output - expected).abs().max() <= 1e-5 * expected.abs().max()
    white = np.full((5 * patch, 8 * patch, 3), 255, np.uint8)
    pixels = AutoImageProcessor.from_pretrained(tmp_path)(images=white, return_tensors='pt')
    assert not [side % patch for side in pixels['pixel_values'].shape[2:] if side % patch]
    assert pixels['pixel_values'].max() == pytest.approx(2.5, abs=1e-5)  # (255 - 127.5) / 51


def test_every_parameter_trains(family):
    _, ours, patch = family
    ours = copy.deepcopy(ours).train()
    image = torch.randn(2, 3, 4 * patch, 7 * patch, generator=torch.Generator().manual_seed(1))
    ours.decode_head(ours.backbone(image)).pow(3).mean().backward()
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_a_head_file_of_dinov2_gives_the_head(tmp_path):
    """Its names and numbers were compared with facebookresearch/dinov2@b8931f7 itself."""
    ours = NARROW['DINOv2'].ours()
    head = {k: v for k, v in ours.state_dict().items() if k.startswith('decode_head.')}
    whole = to_foreign(ours.state_dict(), 'dinov2')[0].items()
    file = {key: value for key, value in whole if key.startswith('decode_head.')}
    assert {
        'decode_head.reassemble_blocks.readout_projects.3.0.weight',
        'decode_head.fusion_blocks.0.res_conv_unit2.conv1.conv.weight',
        'decode_head.project.conv.bias',
        'decode_head.conv_depth.head.4.weight',
    } < file.keys()
    assert to_ours(file)[0].keys() == head.keys()
    fresh, path = NARROW['DINOv2'].ours().decode_head, str(tmp_path / 'head.pth')
    torch.save(file, path)
    PretrainedInit(path, prefix='decode_head')(fresh)
    assert all(torch.equal(head[f'decode_head.{k}'], v) for k, v in fresh.state_dict().items())


def test_older_names_of_beit_are_read():
    """Intel/dpt-beit-* were written before transformers 5."""
    state = tiny.draw_weights(NARROW['BEiT'].build()).state_dict()
    older = renamed(
        state,
        ('beit.embeddings', 'embeddings'),
        ('beit.layers', 'encoder.layer'),
        *OLDER_ATTENTION,
        ('relative_position_bias.', 'attention.attention.relative_position_bias.'),
        ('mlp.fc1', 'intermediate.dense'),
        ('mlp.fc2', 'output.dense'),
    )
    expected, converted = to_ours(state)[0], to_ours(older)[0]
    assert older.keys() != state.keys() and converted.keys() == expected.keys()
    assert all(torch.equal(converted[k], v) for k, v in expected.items())


TIPS = {'depth': 'TIPSv2', 'segmentation': 'TIPSv2, classes', 'normals': 'TIPSv2, normals'}


@pytest.mark.parametrize('task', TIPS)
def test_released_files_of_tips_are_read(task):
    """Names by transformers' conversion_mapping.py (5.23), of all heads."""
    models = [NARROW[TIPS[name]].ours() for name in (*(TIPS.keys() - {task}), task)]
    released = {}
    for model in models:
        for key, value in to_foreign(model.state_dict(), 'tips')[0].items():
            for ours_, theirs in (
                ('.unit1.', '.residual_unit.'),
                ('.unit2.', '.main_unit.'),
                ('.mlp.fc1.', '.mlp.c_fc.'),
                ('.mlp.fc2.', '.mlp.c_proj.'),
            ):
                key = key.replace(ours_, theirs)
            released[key] = value
    assert released['depth_head.depth_head.weight'].shape == (16, 32)
    assert released['segmentation_head.segmentation_head.weight'].shape == (7, 32)
    assert released['normals_head.normals_head.bias'].shape == (3,)
    assert 'depth_head.reassemble.readout_projects.2.weight' in released
    converted, report = to_ours(released, task=task)
    expected = models[-1].state_dict()
    assert report.source == 'tips' and converted.keys() == expected.keys()
    assert all(torch.equal(converted[k], v) for k, v in expected.items())
