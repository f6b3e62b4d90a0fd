"""Depth and logits equal what isl-org/DPT's own model classes gave, see record_isl_org.py."""

import json
import runpy
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from mmdpt.checkpoints import to_foreign, to_ours
from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.config import load_config
from mmdpt.config.machine import use_batch_norm_without_cuda
from mmdpt.registry import MODELS

pytestmark = pytest.mark.parity

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_isl_org.py')))
DIMS, SIZES, STRIDE = (REFERENCE[name] for name in ('DIMS', 'SIZES', 'STRIDE'))
VARIANTS = [*REFERENCE['VARIANTS'], *(f'scriptable-{x}' for x in REFERENCE['SCRIPTABLE'])]
UNRELEASED = {'base-midas': 'dpt_vit-b16_mix6', 'base-ade20k': 'dpt_vit-b16_ade20k'}


@pytest.fixture(scope='module')
def recorded():
    with np.load(REFERENCE['OUTPUTS']) as file:
        about = json.loads(zlib.decompress(file['about'].tobytes()))
        return about, {name: torch.from_numpy(file[name]) for name in file if name != 'about'}


def build(name, **changed):
    """Build the config of a released checkpoint, with its taps and constants, narrow."""
    variant = name.removeprefix('scriptable-')
    release = RELEASES.get(f'dpt-{variant}')
    config, options = (release.config, release.options) if release else (UNRELEASED[variant], ())
    cfg = load_config(config, options)
    use_batch_norm_without_cuda(cfg)
    init_default_scope(cfg.default_scope)
    backbone, head = cfg.model.backbone, cfg.model.decode_head
    reference, settings = REFERENCE['VARIANTS'][variant]
    widths = REFERENCE['WIDTHS'][reference]
    backbone.arch = dict(
        embed_dims=DIMS,
        num_layers=backbone.out_indices[-1] + 1,
        num_heads=REFERENCE['HEADS'],
        feedforward_channels=4 * DIMS,
    )
    backbone.img_size, backbone.init_cfg = REFERENCE['SIDE'], None
    head.embed_dims, head.reassemble_channels = DIMS, widths
    head.channels = REFERENCE['CHANNELS']
    if 'stem' in backbone:
        backbone.stem.base_channels = REFERENCE['BASE']
        head.embed_dims = (*widths[:2], DIMS, DIMS)
        head.reassemble_channels = (None, None, *widths[2:])
    if 'num_classes' in settings:
        head.num_classes = settings['num_classes']
        if name != variant:
            head.auxiliary_weight = 0  # dpt_scriptable has no auxlayer
    cfg.merge_from_dict({f'model.{option}': value for option, value in changed.items()})
    return MODELS.build(cfg.model).eval()


def deviations(recorded, name, **changed):
    """Give the greatest deviation of each size, relative to the greatest value."""
    about, outputs = recorded
    model = build(name, **changed)
    shapes = about['shapes'][name].items()
    converted, report = to_ours({key: REFERENCE['fill'](key, shape) for key, shape in shapes})
    assert report.source == 'isl-org'
    model.load_state_dict(converted)
    for size in SIZES:
        with torch.no_grad():
            output = predict(model, REFERENCE['image'](size))[..., ::STRIDE, ::STRIDE]
        expected = outputs[f'{name} {size}']
        assert output.shape == expected.shape
        yield ((output - expected).abs().max() / expected.abs().max()).item()


def predict(model, image):
    """Predict as the heads do before the clamp to a data set's depths."""
    head = model.decode_head
    output = head(model.backbone(image))
    if head.num_classes == 1:
        return output[:, 0]
    return head.upsample(output, image.shape[-2:], head.output_stride)


@pytest.mark.parametrize('name', VARIANTS)
def test_outputs_equal_isl_org(recorded, name):
    assert all(deviation <= 1e-5 for deviation in deviations(recorded, name))


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
def test_the_record_tells_a_change_apart(recorded, name, option, value):
    assert max(deviations(recorded, name, **{option: value})) > 1e-4


@pytest.mark.parametrize('name', REFERENCE['VARIANTS'])
def test_exported_keys_and_shapes_are_those_of_their_model(recorded, name):
    exported, _ = to_foreign(build(name).state_dict(), 'isl-org')
    shapes = {key: list(value.shape) for key, value in exported.items()}
    assert shapes == recorded[0]['shapes'][name]
