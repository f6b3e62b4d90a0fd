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


@pytest.mark.parity
@pytest.mark.parametrize('hybrid', [False, True])
@pytest.mark.parametrize('task', ['depth', 'segmentation'])
def test_the_folder_gives_the_same_numbers(tmp_path, build_model, task, hybrid):
    """By transformers' own forward; parity/ compares other sizes."""
    model = whole(build_model(task, hybrid))
    write_folder(model, model.state_dict(), tmp_path)
    head, image = model.decode_head, torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        theirs = load(tmp_path, task)(image)
        output = head(model.backbone(image))
        if task == 'segmentation':
            expected, output = theirs.logits, head.upsample(output, (96, 96), head.output_stride)
        else:
            expected, output = theirs.predicted_depth, output[:, 0]
    assert output.shape[-2:] == (96, 96)
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


STEM = dict(type='ResNetV2', depths=(1, 2, 2), base_channels=32, standardization='std')


@pytest.mark.parametrize(
    ('task', 'settings', 'message'),
    [
        ('depth', dict(backbone=dict(interpolate_mode='bicubic')), "interpolate_mode='bicubic'"),
        ('depth', dict(backbone=dict(img_size=(96, 64))), r'position embedding of \(96, 64\)'),
        ('depth', dict(head=dict(output='depth', max_depth=10.0)), r'decode_head\.max_depth=10\.0'),
        ('depth', dict(head=dict(output='depth', inversion=(0.1, 0.2))), 'decode_head.inversion'),
        ('depth', dict(head=dict(output='depth', median_depth=5.0)), 'decode_head.median_depth'),
        ('depth', dict(hybrid=True, backbone=dict(stem=STEM)), "standardization='std'"),
        # depth with normed taps makes a Depth Anything
        ('segmentation', dict(backbone=dict(norm_taps=True)), r'backbone\.norm_taps=True'),
    ],
)
def test_what_transformers_does_not_compute_is_refused(
    tmp_path, build_model, task, settings, message
):
    model = whole(build_model(task, **settings))
    with pytest.raises(InputError, match=f'has no .*{message}'):
        write_folder(model, model.state_dict(), tmp_path)
    assert not list(tmp_path.iterdir())


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
