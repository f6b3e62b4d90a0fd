"""Models go to transformers as a folder that it loads, and come back bit by bit."""

import json

import numpy as np
import pytest
import tiny
import torch
from tiny_dpt import build
from transformers import (
    AutoImageProcessor,
    DepthAnythingForDepthEstimation,
    DPTForDepthEstimation,
    DPTForSemanticSegmentation,
)

from mmdpt.checkpoints import read_checkpoint, to_foreign, to_ours
from mmdpt.checkpoints.layouts.transformers_folder import write_folder
from mmdpt.errors import InputError
from mmdpt.models import DepthDataPreProcessor, TimmDPTBackbone

NAMES = ('wall', 'building', 'sky', 'floor', 'tree', 'ceiling', 'road')
PATCH = dict(patch_size=14)
ENCODER = PATCH | dict(norm_taps=True, layer_scale_init_value=1.0, interpolate_mode='bicubic')
ANYTHING = dict(
    task='depth', img_size=70, backbone=ENCODER, head=PATCH | dict(readout_type='ignore')
)
METRIC = ANYTHING['head'] | dict(output='depth', max_depth=20.0)
OUTDOOR = METRIC | dict(max_depth=80.0)
SWIGLU = ENCODER | dict(layer_cfgs=dict(ffn_type='swiglu_fused'))
KINDS = {
    'depth': dict(task='depth'),
    'hybrid depth': dict(task='depth', hybrid=True),
    'segmentation': dict(task='segmentation'),
    'hybrid segmentation': dict(task='segmentation', hybrid=True),
    'Depth Anything': ANYTHING,
    'metric Depth Anything': ANYTHING | dict(head=METRIC),
    'outdoor Depth Anything': ANYTHING | dict(head=OUTDOOR),
    'Depth Anything with SwiGLU': ANYTHING | dict(backbone=SWIGLU),
}


def whole(**settings):
    """Build a whole tiny model of ours."""
    model = build(**settings)
    model['data_preprocessor'] = DepthDataPreProcessor(
        mean=[127.5, 127.5, 127.5], std=[127.5, 100.0, 127.5], bgr_to_rgb=True
    )
    for name, module in model.items():
        setattr(model, name, module)
    if settings['task'] == 'depth':  # so that the ReLU passes something
        model.decode_head.predictor.conv3.weight.data.abs_()
    model.dataset_meta = dict(classes=NAMES)
    return model


def load(folder, model):
    cls = DPTForSemanticSegmentation
    if hasattr(model.decode_head, 'predictor'):
        cls = DepthAnythingForDepthEstimation if model.backbone.norm_taps else DPTForDepthEstimation
    theirs, info = cls.from_pretrained(folder, output_loading_info=True)
    assert not info['missing_keys'] and not info['unexpected_keys']
    assert not info['mismatched_keys']
    return theirs.eval()


def assert_same_numbers(model, folder, size):
    head, image = model.decode_head, torch.randn(2, 3, *size)
    with torch.no_grad():
        theirs = load(folder, model)(image)
        output = head(model.backbone(image))
    if 'logits' in theirs:
        expected, output = theirs.logits, head.upsample(output, size, head.output_stride)
    else:
        expected, output = theirs.predicted_depth, output[:, 0]
    assert output.shape[-2:] == size and expected.min() < 0.9 * expected.max()
    assert (output - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parity
@pytest.mark.parametrize('kind', KINDS)
def test_the_folder_gives_the_same_numbers_and_comes_back_bit_by_bit(tmp_path, kind):
    """By transformers' own forward, which takes a DPT's image to be square.

    Depth Anything's grids of 9 x 9, 5 x 8 and 11 x 4 patches: odd sides halve to the larger half.
    """
    model = whole(**KINDS[kind])
    weights = model.state_dict()
    assert write_folder(model, weights, tmp_path).settings == ''
    back, report = to_ours(read_checkpoint(tmp_path / 'model.safetensors').state_dict)
    assert report.source == 'huggingface' and back.keys() == weights.keys()
    assert all(torch.equal(back[key], weights[key]) for key in back)
    sizes = [(70, 70), (126, 126), (70, 112), (154, 56)] if 'Anything' in kind else [(96, 96)]
    for size in sizes:
        assert_same_numbers(model, tmp_path, size)


@pytest.mark.parity
def test_the_offset_of_its_own_code_is_lost_off_the_pretraining_size(tmp_path):
    backbone = ENCODER | dict(interpolate_mode='bicubic-offset')
    model = whole(**ANYTHING | dict(backbone=backbone))
    report = write_folder(model, model.state_dict(), tmp_path)
    assert 'without the 0.1 offset' in str(report)
    assert_same_numbers(model, tmp_path, (70, 70))


@pytest.mark.parametrize(
    ('kind', 'size'), [('segmentation', (96, 96)), ('Depth Anything', (70, 140))]
)
def test_the_folder_says_classes_and_preprocessing(tmp_path, kind, size):
    """Depth Anything's keeps the ratio: 120 to 70 px, so 240 to 140, 10 patches of 14."""
    model = whole(**KINDS[kind])
    write_folder(model, model.state_dict(), tmp_path)
    if kind == 'segmentation':
        assert load(tmp_path, model).config.id2label == dict(enumerate(NAMES))
    image = np.full((120, 240, 3), 255, dtype=np.uint8)
    pixels = AutoImageProcessor.from_pretrained(tmp_path)(images=image, return_tensors='pt')
    assert pixels['pixel_values'].shape == (1, 3, *size)
    # (255 - 127.5) / 127.5 and, in green, / 100
    expected = torch.tensor([1, 1.275, 1])
    torch.testing.assert_close(pixels['pixel_values'][0, :, 0, 0], expected)


def test_a_model_without_auxiliary_output_has_none_there(tmp_path):
    model = whole(task='segmentation', auxiliary=False)
    write_folder(model, model.state_dict(), tmp_path)
    assert load(tmp_path, model).auxiliary_head is None


STEM = dict(type='ResNetV2', depths=(1, 2, 2), base_channels=32, standardization='std')
WIDTH = dict(embed_dims=48, num_layers=5, num_heads=3, feedforward_channels=100)
DPT, SEGMENTATION = KINDS['depth'], KINDS['segmentation']


@pytest.mark.parametrize(
    ('kind', 'backbone', 'head', 'message'),
    [
        (DPT, dict(interpolate_mode='bicubic'), {}, "interpolate_mode='bicubic'"),
        (DPT, dict(img_size=(96, 64)), {}, r'position embedding of \(96, 64\)'),
        (DPT, dict(img_size=80), dict(resized='path'), "decode_head.resized='path'"),
        (DPT, {}, dict(output='depth', bins=dict(low=1, high=9)), 'decode_head.bins'),
        (DPT, {}, dict(output='depth', canonical_focal=300.0), 'decode_head.canonical_focal'),
        (DPT, {}, dict(output='depth', max_depth=10.0), r'decode_head\.max_depth=10\.0'),
        (DPT, {}, dict(output='depth', inversion=(0.1, 0.2)), 'decode_head.inversion'),
        (DPT, {}, dict(output='depth', median_depth=5.0), 'decode_head.median_depth'),
        (DPT, {}, dict(upsampling='subpixel'), 'decode_head.upsampling'),
        (DPT, {}, dict(hidden_channels=16), 'decode_head.hidden_channels=16'),
        (KINDS['hybrid depth'], dict(stem=STEM), {}, "standardization='std'"),
        (SEGMENTATION, {}, dict(align_corners=False), 'decode_head.align_corners=False'),
        (SEGMENTATION, {}, dict(act_cfg=None), 'decode_head.act_cfg=False'),
        (ANYTHING, dict(interpolate_mode='bilinear'), {}, "interpolate_mode='bilinear'"),
        (ANYTHING, dict(interpolate_mode='bicubic-antialias'), {}, 'interpolate_mode'),
        (ANYTHING, dict(num_register_tokens=2), {}, 'backbone.num_register_tokens=2'),
        (ANYTHING, dict(img_size=(98, 70)), {}, r'position embedding of \(98, 70\), not square'),
        (ANYTHING, dict(arch=WIDTH), {}, 'feed-forward width 100, it is 192'),
        (ANYTHING, {}, dict(readout_type='project'), "decode_head.readout_type='project'"),
        (ANYTHING, {}, dict(norm_cfg=dict(type='BN'), conv_bias=True), 'decode_head.norm_cfg'),
        (ANYTHING, {}, dict(resized='skip'), "decode_head.resized='skip'"),
        (ANYTHING, {}, dict(conv_bias=False), 'decode_head.conv_bias=False'),
        (ANYTHING, {}, dict(output='depth', inversion=(0.1, 0.2)), 'decode_head.inversion'),
        (ANYTHING, {}, dict(output='depth', median_depth=5.0), 'decode_head.median_depth'),
        (ANYTHING, {}, dict(output='depth', max_depth=6.5), 'decode_head.max_depth=6.5'),
    ],
)
def test_what_transformers_does_not_compute_is_refused(tmp_path, kind, backbone, head, message):
    parts = dict(backbone=backbone, head=head)
    parts = {name: {**kind.get(name, {}), **changes} for name, changes in parts.items()}
    model = whole(**kind | parts)
    with pytest.raises(InputError, match=f'has no .*{message}'):
        write_folder(model, model.state_dict(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_clamp_is_reported_as_lost(tmp_path):
    model = whole(task='depth', head=dict(output='depth', clamp=(1e-3, 10.0)))
    report = write_folder(model, model.state_dict(), tmp_path)
    assert 'clamp the depth to 0.001..10.0 yourself' in str(report)
    assert json.loads((tmp_path / 'config.json').read_text())['model_type'] == 'dpt'


def test_dead_parameters_are_filled_neutrally():
    theirs, report = to_foreign(build('depth').state_dict(), 'huggingface')
    assert torch.equal(theirs['dpt.layernorm.weight'], torch.ones(48))
    key = 'neck.fusion_stage.layers.0.residual_layer1.convolution2.weight'
    assert torch.equal(theirs[key], torch.zeros(32, 32, 3, 3))
    assert {'dpt.layernorm.weight', key} <= report.filled.keys()


def test_an_encoder_that_transformers_has_not_is_refused(tmp_path):
    model = whole(**DPT)
    name, args = tiny.TIMM['convnext']
    model.backbone = TimmDPTBackbone(name, model_args=args)
    with pytest.raises(InputError, match='has no backbone ConvNeXt'):
        write_folder(model, model.state_dict(), tmp_path)
