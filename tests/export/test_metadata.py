"""What files say about preparation and results, against configs read by hand."""

import json

import pytest

from mmdpt.inference.metadata import as_strings, describe, resize_rule
from mmdpt.inference.model import build_model
from mmdpt.version import __version__

RULE = dict(multiple=1, interpolation='bilinear', antialias=False, dtype='uint8')
MINIMAL = dict(RULE, rule='minimal', size=[384, 384], multiple=32, interpolation='bicubic')


@pytest.mark.parametrize(
    ('pipeline', 'expected'),
    [
        ([], dict(rule='none', dtype='uint8')),
        ([dict(type='KBCrop')], dict(rule='none', dtype='uint8')),
        (
            [
                dict(type='LoadImageFromFile', to_float32=True),
                dict(type='ResizeDepth', scale=518, method='lower_bound', multiple=14),
            ],
            dict(MINIMAL, rule='lower_bound', size=[518, 518], multiple=14, dtype='float32'),
        ),
        ([dict(type='ResizeDepth')], MINIMAL),
        (
            [dict(type='Resize', scale=(2080, 520), keep_ratio=True)],
            dict(RULE, rule='keep_ratio', size=[2080, 520]),
        ),
        (
            [dict(type='Resize', scale=(160, 120), interpolation='area')],
            dict(RULE, rule='stretch', size=[160, 120], interpolation='area'),
        ),
        ([dict(type='Resize', scale_factor=0.5)], dict(RULE, rule='factor', factor=0.5)),
        (
            [dict(type='ResizeAsTransformers', size=384, keep_ratio=True, multiple=32)],
            dict(MINIMAL, antialias=True),
        ),
    ],
)
def test_the_resize_rule_is_the_pipelines(pipeline, expected):
    assert resize_rule(pipeline) == expected


def test_pictures_of_a_released_ade20k_model_are_resized_as_its_own_code_does():
    """Not as mmseg's test pipeline, which keeps its ratio within 2080 x 520."""
    said = describe(build_model('dpt_hybrid_ade20k'))['resize']
    assert (said['rule'], said['size'], said['multiple']) == ('minimal', [480, 480], 32)
    assert (said['interpolation'], said['dtype']) == ('bicubic', 'float32')


def test_metric_depth_says_unit_normalisation_and_the_way_back(write_config):
    said = describe(
        build_model(str(write_config('hybrid')), ['model.decode_head.canonical_focal=300'])
    )
    assert said['canonical_focal'] == 300
    assert said['mmdpt_version'] == __version__
    assert said['channel_order'] == 'RGB'
    assert said['mean'] == said['std'] == [127.5] * 3
    assert (said['output'], said['unit'], said['is_metric']) == ('depth', 'm', True)
    assert said['resize_back'] == dict(
        interpolation='bicubic', align_corners=False, clamp=[0.1, 10.0]
    )
    assert said['inference'] == dict(mode='whole')
    assert 'classes' not in said


def test_depth_anything_says_its_own_normalisation(write_config):
    said = describe(build_model(str(write_config('depth-anything'))))
    assert said['mean'] == [123.675, 116.28, 103.53]
    assert said['std'] == [58.395, 57.12, 57.375]
    assert said['resize']['size'] == [518, 518] and said['resize']['multiple'] == 14
    assert (said['output'], said['unit'], said['is_metric']) == ('relative', '', False)
    assert 'canonical_focal' not in said


def test_both_tasks_of_a_joint_model_are_described_in_strings_that_can_be_read_back(write_config):
    said = describe(build_model(str(write_config('joint'))))
    assert said['outputs'] == ['logits', 'depth']
    assert len(said['classes']) == 12 and said['unit'] == 'm'
    strings = as_strings(said)
    assert strings['channel_order'] == 'RGB' and strings['unit'] == 'm'
    assert json.loads(strings['resize']) == said['resize']
    assert all(isinstance(value, str) for value in strings.values())


def test_windows_are_left_to_the_caller_and_said(write_config):
    model = build_model(str(write_config('vit')))
    model.test_cfg = dict(mode='slide', crop_size=(64, 64), stride=(48, 48))
    assert describe(model)['inference'] == dict(mode='slide', crop_size=[64, 64], stride=[48, 48])


def test_a_model_of_one_logit_says_its_threshold(write_config):
    options = ('model.decode_head.num_classes=2', 'model.decode_head.out_channels=1')
    options += ('model.decode_head.threshold=0.4', 'model.decode_head.loss_decode.use_sigmoid=True')
    said = describe(build_model(str(write_config('vit')), options))
    assert said['threshold'] == 0.4
    assert said['classes'] == []
