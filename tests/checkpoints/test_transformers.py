"""Models go to transformers as a folder that it loads, and come back bit by bit."""

import json

import pytest
import torch
from transformers import (
    AutoImageProcessor,
    DPTForDepthEstimation,
    DPTForSemanticSegmentation,
)

from mmdpt.checkpoints import read_checkpoint, to_foreign, to_ours
from mmdpt.checkpoints.layouts.transformers_folder import write_folder
from mmdpt.errors import InputError
from mmdpt.models import DepthDataPreProcessor

CLASSES = {'depth': DPTForDepthEstimation, 'segmentation': DPTForSemanticSegmentation}
NAMES = ('wall', 'building', 'sky', 'floor', 'tree', 'ceiling', 'road')


def whole(model):
    model['data_preprocessor'] = DepthDataPreProcessor(
        mean=[127.5, 127.5, 127.5], std=[127.5, 100.0, 127.5], bgr_to_rgb=True
    )
    for name, module in model.items():
        setattr(model, name, module)
    model.dataset_meta = dict(classes=NAMES)
    return model


def load(folder, task):
    model, info = CLASSES[task].from_pretrained(folder, output_loading_info=True)
    assert not info['missing_keys'] and not info['unexpected_keys']
    assert not info['mismatched_keys']
    return model.eval()


def neck_outputs(model, image, hybrid):
    """Run encoder and neck for any size; transformers' own forward assumes a square."""
    grid = (image.shape[-2] // 16, image.shape[-1] // 16)
    out = model.dpt.embeddings(image, **(dict(interpolate_pos_encoding=True) if hybrid else {}))
    states, taps = out.last_hidden_states, list(out.intermediate_activations or [])
    indices = model.config.backbone_out_indices[2 if hybrid else 0 :]
    for index, layer in enumerate(model.dpt.encoder.layer):
        states = layer(states)
        if index in indices:
            taps.append(states)
    return model.neck(taps, *grid)


@pytest.mark.parity
@pytest.mark.parametrize('size', [(96, 96), (64, 160)])
@pytest.mark.parametrize('hybrid', [False, True])
@pytest.mark.parametrize('task', ['depth', 'segmentation'])
def test_the_folder_gives_the_same_numbers(tmp_path, build_model, task, hybrid, size):
    model = whole(build_model(task, hybrid))
    weights = model.state_dict()
    write_folder(model, weights, tmp_path)
    theirs = load(tmp_path, task)
    head, image = model.decode_head, torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = theirs.head(neck_outputs(theirs, image, hybrid))
        output = head(model.backbone(image))
        if task == 'segmentation':
            output = head.upsample(output, size, head.output_stride)
        else:
            output = output[:, 0]
    assert output.shape[-2:] == size
    assert (output - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize('hybrid', [False, True])
@pytest.mark.parametrize('task', ['depth', 'segmentation'])
def test_the_round_trip_is_bitwise_equal(tmp_path, build_model, task, hybrid):
    model = whole(build_model(task, hybrid))
    weights = model.state_dict()
    write_folder(model, weights, tmp_path)
    back, report = to_ours(read_checkpoint(tmp_path / 'model.safetensors').state_dict)
    assert report.source == 'huggingface'
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[key], weights[key]) for key in back)


def test_the_folder_says_classes_and_preprocessing(tmp_path, build_model):
    model = whole(build_model('segmentation'))
    write_folder(model, model.state_dict(), tmp_path)
    assert load(tmp_path, 'segmentation').config.id2label == dict(enumerate(NAMES))
    processor = AutoImageProcessor.from_pretrained(tmp_path)
    image = torch.full((3, 120, 200), 255, dtype=torch.uint8)
    pixels = processor(images=image, return_tensors='pt')['pixel_values']
    assert pixels.shape == (1, 3, 96, 96)
    # (255 - 127.5) / 127.5 and, in green, / 100
    torch.testing.assert_close(pixels[0, :, 0, 0], torch.tensor([1, 1.275, 1]))


def test_a_model_without_auxiliary_output_has_none_there(tmp_path, build_model):
    model = whole(build_model('segmentation', auxiliary=False))
    write_folder(model, model.state_dict(), tmp_path)
    assert load(tmp_path, 'segmentation').auxiliary_head is None


@pytest.mark.parametrize(
    ('backbone', 'head', 'message'),
    [
        (dict(interpolate_mode='bicubic'), {}, "has no backbone.interpolate_mode='bicubic'"),
        (dict(img_size=(96, 64)), {}, r'has no position embedding of \(96, 64\)'),
        ({}, dict(output='depth', max_depth=10.0), 'has no decode_head.max_depth=10.0'),
        ({}, dict(output='depth', inversion=(0.1, 0.2)), 'has no decode_head.inversion'),
        ({}, dict(output='depth', median_depth=5.0), 'has no decode_head.median_depth'),
    ],
)
def test_what_transformers_does_not_compute_is_refused(
    tmp_path, build_model, backbone, head, message
):
    model = whole(build_model('depth', backbone=backbone, head=head))
    with pytest.raises(InputError, match=message):
        write_folder(model, model.state_dict(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_segmentation_with_normed_taps_is_refused(tmp_path, build_model):
    """Of depth, they make a Depth Anything."""
    model = whole(build_model('segmentation', backbone=dict(norm_taps=True)))
    with pytest.raises(InputError, match=r'has no backbone\.norm_taps=True'):
        write_folder(model, model.state_dict(), tmp_path)


def test_the_released_standardisation_is_refused(tmp_path, build_model):
    stem = dict(type='ResNetV2', depths=(1, 2, 2), base_channels=32, standardization='std')
    model = whole(build_model('depth', hybrid=True, backbone=dict(stem=stem)))
    with pytest.raises(InputError, match="standardization='std'"):
        write_folder(model, model.state_dict(), tmp_path)


def test_a_clamp_is_reported_as_lost(tmp_path, build_model):
    model = whole(build_model('depth', head=dict(output='depth', clamp=(1e-3, 10.0))))
    report = write_folder(model, model.state_dict(), tmp_path)
    assert 'clamp the depth to 0.001..10.0 yourself' in str(report)
    assert json.loads((tmp_path / 'config.json').read_text())['model_type'] == 'dpt'


def test_dead_parameters_are_filled_neutrally(build_model):
    theirs, report = to_foreign(build_model('depth').state_dict(), 'huggingface')
    assert torch.equal(theirs['dpt.layernorm.weight'], torch.ones(48))
    key = 'neck.fusion_stage.layers.0.residual_layer1.convolution2.weight'
    assert torch.equal(theirs[key], torch.zeros(32, 32, 3, 3))
    assert {'dpt.layernorm.weight', key} <= report.filled.keys()
