"""Depth Anything 3's files become ours without remainder and give its own network's depth."""

import copy
import runpy
from pathlib import Path

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from tiny_dpt import narrow

from mmdpt.checkpoints import to_foreign, to_ours
from mmdpt.errors import InputError
from mmdpt.export.module import ExportableModel
from mmdpt.inference.backends import run_instead

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_depth_anything_3.py')))
ISL_ORG = REFERENCE['REFERENCE']
MONO, METRIC = (f'depth-anything-3-{kind}-large' for kind in ('mono', 'metric'))


def build(name, weights, **changed):
    """Build a release's config, narrow, with the recorded run's weights."""
    model = narrow(name, REFERENCE, 24, REFERENCE['WIDTHS'], changed)
    converted, report = to_ours(weights)
    assert (report.source, report.dropped) == ('depth-anything', {})
    model.load_state_dict(converted)
    back, _ = to_foreign(converted, 'depth-anything')
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[key], weights[key]) for key in weights)
    return model


def deviation(model, depth_anything_3):
    """Give the greatest deviation of depth, relative to the greatest depth, of all sizes."""
    errors, stride = [], REFERENCE['STRIDE']
    for size in REFERENCE['SIZES']:
        with torch.no_grad():
            image = ISL_ORG['image'](size)
            depth = model.decode_head(model.backbone(image))[0, :, ::stride, ::stride]
        if model.decode_head.output == 'relative':
            depth = 1 / depth
        expected = depth_anything_3[1][str(size)]
        errors.append(((depth - expected).abs().max() / expected.max()).item())
    return max(errors)


@pytest.mark.parity
@pytest.mark.parametrize('name', [MONO, METRIC])
def test_depth_equals_its_own(depth_anything_3, name):
    """The sky, too: a fifth to a half of the recorded pixels."""
    assert deviation(build(name, depth_anything_3[0]), depth_anything_3) <= 1e-5


@pytest.mark.parity
@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('backbone.out_indices', (5, 11, 17, 23)),
        ('backbone.interpolate_mode', 'bicubic'),
        ('backbone.norm_cfg', dict(type='LN', eps=1e-3)),
        ('decode_head.median_depth', 1.001),
    ],
)
def test_the_record_tells_a_change_apart(depth_anything_3, option, value):
    assert deviation(build(METRIC, depth_anything_3[0], **{option: value}), depth_anything_3) > 1e-4


@pytest.mark.parametrize(
    ('meta', 'focal'),
    [
        (dict(focal=450.0), 450),
        (dict(focal=900.0, scale_factor=(0.5, 0.4)), 405),
        (dict(intrinsics=(400, 500, 30, 30)), 450),
        (dict(), 600),
    ],
    ids=['listed', 'resized', 'intrinsics', 'set'],
)
def test_metres_are_of_the_camera_s_focal_length(depth_anything_3, meta, focal):
    """Its README and utils/alignment.py: output x focal / 300; in training the target's inverse."""
    model = build(METRIC, depth_anything_3[0], **{'decode_head.focal': 600.0})
    head, size = model.decode_head, (70, 98)
    with torch.no_grad():
        taps = model.backbone(ISL_ORG['image'](size))
        depth = head.predict(taps, [dict(meta, img_shape=size)], None)[:, :1]  # without sky
        torch.testing.assert_close(depth, head(taps) * focal / 300)
        sample = SegDataSample(metainfo=meta, gt_depth_map=PixelData(data=head.train()(taps)[0]))
        head.loss_decode = torch.nn.ModuleList([MeanRatio()])
        assert head.loss(taps, [sample], None)['loss'].item() == pytest.approx(focal / 300)


class MeanRatio(torch.nn.Module):
    """Mean of prediction over target."""

    loss_name = 'loss'

    def forward(self, pred, target):
        return (pred / target).mean()


def test_the_sky_comes_with_the_depth(depth_anything_3):
    """Whole, by windows and in exports."""
    model, (height, width) = build(MONO, depth_anything_3[0]), (70, 98)
    image = ISL_ORG['image']((height, width))
    meta = dict(img_shape=(height, width), ori_shape=(140, 196))
    with torch.no_grad():
        outputs = model.inference(image, [meta])
        exported = ExportableModel(model)
        model.test_cfg.update(mode='slide', crop_size=(70, 98), stride=(70, 98))
        torch.testing.assert_close(model.inference(image, [dict(meta)]), outputs)
        model.test_cfg.update(mode='whole')
        torch.testing.assert_close(torch.cat(exported(image), dim=1), outputs)
    assert exported.output_names == ['relative', 'sky']
    sky = outputs[0, 1] >= 0.3
    assert 0 < sky.float().mean() < 1 and len(outputs[0, 0][sky].unique()) == 1
    (sample,) = model.postprocess_result(outputs, [SegDataSample(metainfo=meta)])
    assert sample.pred_depth_map.shape == sample.pred_sky_map.shape == (140, 196)
    assert sample.pred_sky_map.data.dtype == torch.bool
    agreement = sample.pred_sky_map.data[0, ::2, ::2] == sky
    assert agreement.float().mean() > 0.9


def test_an_image_without_focal_length_is_named(depth_anything_3):
    head = build(METRIC, depth_anything_3[0]).decode_head  # the release's, which has no default
    meta = dict(img_path='a.jpg', img_shape=(70, 70))
    with pytest.raises(InputError, match=r'a\.jpg: depth in metres needs the focal length'):
        head.predict([torch.zeros(1, 32, 5, 5)] * 4, [meta], None)


def test_an_exported_metric_model_still_takes_each_picture_s_focal_length(depth_anything_3):
    model, image = build(METRIC, depth_anything_3[0]), ISL_ORG['image']((70, 98))
    metas = [dict(img_shape=(70, 98), focal=450.0, scale_factor=(0.5, 0.7))]
    with torch.no_grad():
        expected, exported = model.encode_decode(image, metas), ExportableModel(model)
        run_instead(other := copy.deepcopy(model), lambda images: list(exported(images)))
        torch.testing.assert_close(other.encode_decode(image, metas), expected)


def test_the_sky_does_not_train(depth_anything_3):
    model = build(MONO, depth_anything_3[0]).train()
    depth = model.decode_head(model.backbone(torch.zeros(1, 3, 70, 70)))
    depth.sum().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None]
    assert without and all('predictor.sky' in name for name in without)
    assert not any(p.requires_grad for p in model.decode_head.predictor.sky.parameters())
