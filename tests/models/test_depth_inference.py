"""The way of a prediction to the original image: bilinear or bicubic, never below zero."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample

from mmdpt.models.decode_heads.depth_dpt_head import DepthDPTHead
from mmdpt.models.segmentors.depth_estimator import DepthEstimator, JointEstimator, store_depth

DIMS, CLASSES, SIZE, ORIGINAL = 12, 5, (40, 56), (75, 110)
FUSION = dict(embed_dims=DIMS, reassemble_channels=(4, 5, 6, 7), channels=8)
NAN = float('nan')


def enlarge(row, width, clamp=(None, None), **test_cfg):
    """Bring one row of depth to a width."""
    head = DepthDPTHead(**FUSION, clamp=clamp)
    sample = SegDataSample(metainfo=dict(ori_shape=(1, width)))
    store_depth(torch.tensor(row).reshape(1, 1, 1, -1), head, [sample], test_cfg)
    return sample.pred_depth_map.data[0, 0]


# an edge of 4 m, doubled; the cubic's weights for a = -0.75 at a quarter of a pixel are
# -0.10546875, 0.87890625, 0.26171875, -0.03515625: 4 times their sums right of the edge
EDGE = [0.0] * 4 + [4.0] * 4
CUBIC = [0, 0, 0, 0, 0, -0.140625, -0.421875, 0.90625, 3.09375, 4.421875, 4.140625, 4, 4, 4, 4, 4]


@pytest.mark.parametrize('clamp', [(None, None), (0.5, 4.2)])
def test_bicubic_overshoot_ends_at_zero_or_the_clamp(clamp):
    low, high = clamp
    expected = torch.tensor(CUBIC).clamp(low or 0, high)
    depth = enlarge(EDGE, 16, clamp, resize_mode='bicubic')
    torch.testing.assert_close(depth, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ('test_cfg', 'expected'),
    [
        ({}, [0, 1, 3, 4]),
        (dict(resize_mode='bilinear', resize_align_corners=False), [0, 1, 3, 4]),
        (dict(resize_align_corners=True), [0, 4 / 3, 8 / 3, 4]),
    ],
)
def test_bilinear_between_pixel_centres_or_corners(test_cfg, expected):
    torch.testing.assert_close(enlarge([0.0, 4.0], 4, **test_cfg), torch.tensor(expected).float())


def test_bicubic_of_the_same_size_changes_nothing():
    """So that KITTI's crop, seen at its own size, is evaluated as it was predicted."""
    row = torch.rand(30).tolist()
    assert torch.equal(enlarge(row, 30, resize_mode='bicubic'), torch.tensor(row))


def test_a_failed_prediction_is_not_clamped_into_a_depth():
    depth = enlarge([1.0] * 7 + [NAN], 16, (0.1, 10.0), resize_mode='bicubic')
    assert depth[-1].isnan() and depth[:8].eq(1).all()


def test_unknown_resizing_is_refused():
    with pytest.raises(ValueError, match=r"resize_mode must be one of .*'bicubic'.* got 'cubic'"):
        enlarge([1.0], 2, resize_mode='cubic')


def build(joint, **test_cfg):
    init_default_scope('mmdpt')
    torch.manual_seed(0)
    depth = dict(type='DepthDPTHead', output='depth', max_depth=10.0, clamp=(1.0, 9.0), **FUSION)
    heads = (depth,)
    if joint:
        loss = dict(type='CrossEntropyLoss', avg_non_ignore=True)
        heads = (dict(type='DPTHead', num_classes=CLASSES, loss_decode=loss, **FUSION), depth)
    model = (JointEstimator if joint else DepthEstimator)(
        dict(
            type='VisionTransformerDPT',
            arch=dict(embed_dims=DIMS, num_layers=4, num_heads=2, feedforward_channels=24),
            img_size=64,
            out_indices=(0, 1, 2, 3),
        ),
        *heads,
        data_preprocessor=dict(type='DepthDataPreProcessor'),
        test_cfg=ConfigDict(test_cfg),
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


@pytest.mark.parametrize('joint', [False, True])
@pytest.mark.parametrize(
    'inference',
    [
        dict(mode='whole'),
        dict(mode='whole', flip=True),
        dict(mode='slide', crop_size=(40, 48), stride=(40, 16)),
        dict(mode='slide', crop_size=(40, 48), stride=(40, 16), flip=True),
    ],
)
@torch.no_grad()
def test_every_kind_of_inference_is_resized_as_asked(inference, joint):
    image = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    meta = dict(ori_shape=ORIGINAL, img_shape=SIZE)
    small = build(joint, **inference).inference(image, [dict(meta)])[:, -1:]
    bilinear = F.interpolate(small, ORIGINAL, mode='bilinear')[0]
    expected = F.interpolate(small, ORIGINAL, mode='bicubic')[0].clamp(1, 9)
    for settings, result in (({}, bilinear), (dict(resize_mode='bicubic'), expected)):
        model = build(joint, **inference, **settings)
        (sample,) = model.predict(image, [SegDataSample(metainfo=dict(meta))])
        torch.testing.assert_close(sample.pred_depth_map.data, result)
    assert (bilinear - expected).abs().max() > 1e-2
