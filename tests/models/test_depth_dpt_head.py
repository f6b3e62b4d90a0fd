"""The depth head: what its numbers are, its targets, whole, slide and flip inference."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdpt.inference.devices import store_weights_in
from mmdpt.models import DepthDPTHead, DepthEstimator
from mmdpt.registry import MODELS

DIMS = 12


@MODELS.register_module()
class MeanAbsoluteErrorForTest(torch.nn.Module):
    """Mean absolute error over valid pixels."""

    loss_name = 'loss_mae'

    def forward(self, pred, target):
        valid = target.isfinite()
        return (pred[valid] - target[valid]).abs().mean()


def taps(height=4, width=6):
    torch.manual_seed(1)
    return [(torch.randn(2, DIMS, height, width), torch.randn(2, DIMS)) for _ in range(4)]


def build(**kwargs):
    torch.manual_seed(0)
    settings = dict(embed_dims=DIMS, reassemble_channels=(4, 5, 6, 7), channels=8)
    head = DepthDPTHead(**{**settings, **kwargs})
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return head


def raw_output(head):
    """The last convolution's output, by hand."""
    fused, _ = head.fusion(head.reassemble(taps()))
    x = F.interpolate(
        head.predictor.conv1(fused), scale_factor=2, mode='bilinear', align_corners=True
    )
    return head.predictor.conv3(F.relu(head.predictor.conv2(x)))


def test_relative_is_not_negative():
    head = build()
    torch.testing.assert_close(head(taps()), raw_output(head).clamp(min=0))
    assert head.unit == '' and not head.is_metric


def test_official_inversion():
    head = build(output='depth', inversion=(0.000305, 0.1378))
    expected = 1 / (0.000305 * raw_output(head).clamp(min=0) + 0.1378).clamp(min=1e-8)
    torch.testing.assert_close(head(taps()), expected)
    assert head.unit == 'm' and head.is_metric


def test_sigmoid_times_max_depth():
    head = build(output='depth', max_depth=20.0)
    torch.testing.assert_close(head(taps()), 20 * raw_output(head).sigmoid())


def test_exp_times_median_depth():
    head = build(output='depth', median_depth=4.0)
    head.predictor.conv3.weight.data *= 0.01
    depth = head(taps())
    torch.testing.assert_close(depth, 4 * raw_output(head).exp())
    assert depth.log().std() > 0.1 and head.unit == 'm'


def test_an_untrained_head_predicts_about_the_median_depth():
    torch.manual_seed(0)
    head = DepthDPTHead(
        'depth',
        embed_dims=DIMS,
        reassemble_channels=(4, 5, 6, 7),
        channels=8,
        median_depth=5.0,
    )
    torch.testing.assert_close(head(taps()).median(), torch.tensor(5.0), rtol=0.25, atol=0)


@pytest.mark.parametrize('stored', [False, True], ids=['autocast', 'stored weights'])
@pytest.mark.parametrize(
    'kwargs',
    [
        dict(),
        dict(output='disparity'),
        dict(output='depth', max_depth=80.0),
        dict(output='depth', median_depth=5.0),
        dict(output='depth', inversion=(0.1, 0.05)),
    ],
    ids=lambda kwargs: next(reversed(kwargs), 'relative'),
)
@torch.no_grad()
def test_half_precision_leaves_as_many_distinct_depths(kwargs, stored):
    """In bfloat16 throughout, 569 of 140,000 were left: layers in a point cloud."""
    head = build(**kwargs)
    last, raw = head.predictor.conv3, raw_output(head)
    last.weight /= raw.std()
    last.bias.copy_(2 - (raw.mean() - last.bias) / raw.std())  # of x: mean 2, deviation 1
    single = head(taps(16, 24))
    if stored:
        store_weights_in(torch.bfloat16, head)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = head(taps(16, 24))
    assert half.dtype == torch.float32
    assert half.unique().numel() > 0.9 * single.unique().numel() > 0.3 * single.numel()
    assert (half - single).abs().mean() < 0.05 * single.std()


def test_disparity_has_its_unit():
    assert build(output='disparity').unit == '1/m'


def test_clamp_bounds_predictions():
    head = build(output='depth', max_depth=10.0, clamp=(4.0, 5.0))
    depth = head.predict(taps(), [dict(img_shape=(64, 96))], None)
    assert depth.min() >= 4 and depth.max() <= 5 and depth.std() > 0


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(output='metric'), "one of .*'metric'"),
        (dict(output='relative', max_depth=10.0), "output is 'relative'"),
        (dict(output='disparity', inversion=(1.0, 0.0)), "output is 'disparity'"),
        (dict(output='relative', median_depth=5.0), "output is 'relative'"),
        (dict(output='depth', max_depth=1.0, inversion=(1.0, 0.0)), 'exclude each other'),
        (dict(output='depth', max_depth=1.0, median_depth=5.0), 'exclude each other'),
        (dict(output='depth', median_depth=0.0), 'must be positive, got 0.0'),
    ],
)
def test_settings_that_do_not_fit_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)


@pytest.mark.parametrize(('output', 'inverted'), [('depth', False), ('disparity', True)])
def test_target_is_depth_or_its_inverse_on_valid_pixels(output, inverted):
    head = build(output=output, loss_decode=dict(type='MeanAbsoluteErrorForTest'))
    depth = torch.rand(2, 1, 50, 90) + 1
    depth[:, :, :20] = torch.nan
    samples = [SegDataSample(gt_depth_map=PixelData(data=d)) for d in depth]
    loss = head.loss(taps(), samples, None)['loss_mae']
    target = 1 / depth if inverted else depth
    expected = (head(taps())[..., :50, :90] - target)[:, :, 20:].abs().mean()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


def estimator(**test_cfg):
    torch.manual_seed(0)
    model = DepthEstimator(
        backbone=dict(
            type='mmdpt.VisionTransformerDPT',
            arch=dict(embed_dims=DIMS, num_layers=4, num_heads=2, feedforward_channels=24),
            img_size=64,
            out_indices=(0, 1, 2, 3),
        ),
        decode_head=dict(
            type='mmdpt.DepthDPTHead',
            output='depth',
            max_depth=10.0,
            embed_dims=DIMS,
            reassemble_channels=(4, 5, 6, 7),
            channels=8,
        ),
        data_preprocessor=dict(type='mmseg.SegDataPreProcessor'),
        test_cfg=ConfigDict({'mode': 'whole', **test_cfg}),
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


@torch.no_grad()
def predict(model, image):
    size = tuple(image.shape[-2:])
    return model.inference(image, [dict(ori_shape=size, img_shape=size) for _ in image])


def test_slide_inference_averages_its_windows():
    """mmseg's overwrites them by the whole image."""
    model = estimator(mode='slide', crop_size=(64, 64), stride=(64, 32))
    image = torch.randn(1, 3, 64, 96)
    windows = [predict(estimator(), image[..., x : x + 64]) for x in (0, 32)]
    expected = torch.cat(
        [
            windows[0][..., :32],
            (windows[0][..., 32:] + windows[1][..., :32]) / 2,
            windows[1][..., 32:],
        ],
        dim=-1,
    )
    torch.testing.assert_close(predict(model, image), expected)
    assert not torch.allclose(expected, predict(estimator(), image), atol=1e-3)


def test_flip_averages_with_the_mirror_image():
    image = torch.randn(1, 3, 64, 96)
    plain = predict(estimator(), image)
    mirrored = predict(estimator(), image.flip(-1)).flip(-1)
    torch.testing.assert_close(predict(estimator(flip=True), image), (plain + mirrored) / 2)


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"'whole', 'slide'.*'slide_flip'"):
        predict(estimator(mode='slide_flip'), torch.randn(1, 3, 64, 64))


def test_prediction_has_the_original_size_and_its_unit():
    model = estimator()
    meta = dict(ori_shape=(100, 141), img_shape=(64, 96), pad_shape=(64, 96))
    with torch.no_grad():
        (sample,) = model.predict(torch.randn(1, 3, 64, 96), [SegDataSample(metainfo=meta)])
    assert sample.pred_depth_map.data.shape == (1, 100, 141)
    assert sample.depth_unit == 'm' and sample.is_metric
