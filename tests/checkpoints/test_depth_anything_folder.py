"""Depth Anything goes to transformers as a folder that it loads, image processor included."""

import numpy as np
import pytest
import torch
from transformers import AutoImageProcessor, DepthAnythingForDepthEstimation

from mmdpt.checkpoints import read_checkpoint, to_ours
from mmdpt.checkpoints.layouts.transformers_folder import write_folder
from mmdpt.errors import InputError
from mmdpt.models import DepthDataPreProcessor

KINDS = {'relative': dict(output='relative'), 'metric': dict(output='depth', max_depth=20.0)}
ENCODER = dict(norm_taps=True, layer_scale_init_value=1.0, interpolate_mode='bicubic')


@pytest.fixture
def build(build_model):
    def build(kind='relative', backbone=(), head=()):
        model = build_model(
            'depth',
            backbone=ENCODER | dict(backbone),
            head=dict(readout_type='ignore') | KINDS[kind] | dict(head),
        )
        predictor = model['decode_head'].predictor
        predictor.conv3.weight.data.abs_()  # so that the ReLU passes something
        model['data_preprocessor'] = DepthDataPreProcessor(
            mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
        )
        for name, module in model.items():
            setattr(model, name, module)
        return model

    return build


def load(folder):
    model, info = DepthAnythingForDepthEstimation.from_pretrained(folder, output_loading_info=True)
    assert not info['missing_keys'] and not info['mismatched_keys']
    assert not info['unexpected_keys']
    return model.eval()


def assert_same_depth(model, theirs, size):
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = theirs(image).predicted_depth
        depth = model.decode_head(model.backbone(image))[:, 0]
    assert depth.shape == (2, *size) and expected.min() < 0.99 * expected.max()
    assert (depth - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parity
@pytest.mark.parametrize('size', [(96, 96), (64, 160)])
@pytest.mark.parametrize('kind', KINDS)
def test_the_folder_gives_the_same_depth(tmp_path, build, kind, size):
    model = build(kind)
    report = write_folder(model, model.state_dict(), tmp_path)
    assert report.settings == ''
    assert_same_depth(model, load(tmp_path), size)


@pytest.mark.parity
def test_with_swiglu_it_gives_the_same_depth(tmp_path, build):
    layers = dict(layer_cfgs=dict(ffn_type='swiglu_fused'))
    model = build(backbone=layers)
    write_folder(model, model.state_dict(), tmp_path)
    assert_same_depth(model, load(tmp_path), (96, 96))


@pytest.mark.parity
def test_the_offset_of_its_own_code_is_lost_off_the_pretraining_size(tmp_path, build):
    model = build(backbone=dict(interpolate_mode='bicubic-offset'))
    report = write_folder(model, model.state_dict(), tmp_path)
    assert 'without the 0.1 offset' in str(report)
    assert_same_depth(model, load(tmp_path), (96, 96))


def test_the_round_trip_is_bitwise_equal(tmp_path, build):
    model = build('metric')
    weights = model.state_dict()
    write_folder(model, weights, tmp_path)
    back, _ = to_ours(read_checkpoint(tmp_path / 'model.safetensors').state_dict)
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[key], weights[key]) for key in back)


def test_the_image_processor_keeps_the_ratio_and_normalises_as_ours(tmp_path, build):
    model = build()
    write_folder(model, model.state_dict(), tmp_path)
    image = np.full((120, 240, 3), 255, dtype=np.uint8)
    pixels = AutoImageProcessor.from_pretrained(tmp_path)(images=image, return_tensors='pt')
    # 120 to 96 px, so 240 to 192, 12 patches of 16; (255 - 123.675) / 58.395 and so on
    assert pixels['pixel_values'].shape == (1, 3, 96, 192)
    expected = torch.tensor([2.248908, 2.428571, 2.640000])
    torch.testing.assert_close(pixels['pixel_values'][0, :, 0, 0], expected)


@pytest.mark.parametrize(
    ('backbone', 'head', 'message'),
    [
        (dict(interpolate_mode='bilinear'), {}, "has no interpolate_mode='bilinear'"),
        (dict(interpolate_mode='bicubic-antialias'), {}, 'has no interpolate_mode'),
        (dict(num_register_tokens=2), {}, 'has no register tokens'),
        (dict(img_size=(96, 64)), {}, r'has no position embedding of \(96, 64\), not square'),
        (
            dict(arch=dict(embed_dims=48, num_layers=5, num_heads=3, feedforward_channels=96)),
            {},
            'has no feed-forward width 96, it is 192',
        ),
        ({}, dict(readout_type='project'), "has no decode_head.readout_type='project'"),
        ({}, dict(norm_cfg=dict(type='BN')), 'has no normalisation in the fusion'),
        ({}, dict(output='depth', inversion=(0.1, 0.2)), 'has no decode_head.inversion'),
        ({}, dict(output='depth', median_depth=5.0), 'has no decode_head.median_depth'),
        ({}, dict(output='depth', max_depth=6.5), 'has no decode_head.max_depth=6.5'),
    ],
)
def test_what_transformers_does_not_compute_is_refused(tmp_path, build, backbone, head, message):
    model = build(backbone=backbone, head=head)
    with pytest.raises(InputError, match=message):
        write_folder(model, model.state_dict(), tmp_path)
    assert not list(tmp_path.iterdir())
