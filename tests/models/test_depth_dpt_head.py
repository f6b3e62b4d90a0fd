"""The depth head: what its numbers are, their precision, its targets."""

import pytest
import tiny
import torch
import torch.nn.functional as F

from mmdpt.inference.devices import store_weights_in
from mmdpt.models import DepthDPTHead


def build(**kwargs):
    return tiny.draw_weights(DepthDPTHead(**tiny.HEAD, **kwargs), std=0.3)


def samples(depth):
    return [tiny.sample(depth=one) for one in depth]


def raw_output(head):
    """The last convolution's output, by hand."""
    fused, _ = head.fusion(head.reassemble(tiny.taps()))
    x = F.interpolate(
        head.predictor.conv1(fused), scale_factor=2, mode='bilinear', align_corners=True
    )
    return head.predictor.conv3(F.relu(head.predictor.conv2(x)))


@pytest.mark.parametrize('patch_size', [4, 16])
def test_subpixels_are_the_outputs_of_the_last_convolution(patch_size):
    """Two a side: half of the first tap's stride. Those of an untrained cell are equal."""
    settings = dict(reassemble_scales=(patch_size // 4,) * 4, patch_size=patch_size, output='depth')
    head = build(upsampling='subpixel', **settings)
    fused, _ = head.fusion(head.reassemble(tiny.taps()))
    last = head.predictor.conv3(F.relu(head.predictor.conv2(head.predictor.conv1(fused))))
    prediction = head(tiny.taps())
    torch.testing.assert_close(F.pixel_unshuffle(prediction, 2), last.relu())
    shape = build(**settings)(tiny.taps()).shape
    assert prediction.shape == shape and prediction.std() > 0
    first, *others = DepthDPTHead(upsampling='subpixel', **tiny.HEAD).predictor.conv3.weight
    assert others and all(torch.equal(first, other) for other in others)


SETTINGS = [
    dict(output='depth', median_depth=4.0),
    dict(output='depth', max_depth=20.0),
    dict(output='depth', inversion=(0.5, 0.1)),
    dict(output='depth'),
    dict(output='disparity'),
]


@pytest.mark.parametrize('settings', SETTINGS, ids=lambda kwargs: list(kwargs)[-1])
def test_starts_at_a_given_depth_and_multiplies_its_depths_where_the_last_layer_can(settings):
    head = build(**settings)
    power = -1.0 if head.output == 'disparity' else 1.0
    head.predictor.conv3.weight.data *= 0.01
    before = head(tiny.taps())
    if {'max_depth', 'inversion'} & settings.keys():
        with pytest.raises(ValueError, match=r'a head with .* cannot multiply its depths'):
            head.multiply_depth(1.5)
    else:
        head.multiply_depth(1.5)
        torch.testing.assert_close(head(tiny.taps()), before * 1.5**power)
        assert before.std() > 0
    torch.nn.init.zeros_(head.predictor.conv3.weight)
    head.start_at(3.0)
    torch.testing.assert_close(head(tiny.taps()), torch.full_like(before, 3.0**power))
    with pytest.raises(ValueError, match=r'a head of .* cannot start at 0.0 m'):
        head.start_at(0.0)


@pytest.mark.parametrize(
    ('kwargs', 'formula', 'unit'),
    [
        (dict(), lambda x: x.clamp(min=0), ''),
        (dict(output='disparity'), lambda x: x.clamp(min=0), '1/m'),
        (
            dict(output='depth', inversion=(0.000305, 0.1378)),
            lambda x: 1 / (0.000305 * x.clamp(min=0) + 0.1378).clamp(min=1e-8),
            'm',
        ),
        (dict(output='depth', max_depth=20.0), lambda x: 20 * x.sigmoid(), 'm'),
        (dict(output='depth', median_depth=4.0), lambda x: 4 * x.exp(), 'm'),
        (dict(output='depth', log_range=(2.0, 50.0)), lambda x: 2 * 25 ** x.sigmoid(), 'm'),
        (dict(output='depth', min_depth=0.25), lambda x: x.clamp(min=0) + 0.25, 'm'),
        (dict(output='relative', median_depth=4.0), lambda x: (-x).exp() / 4, ''),
    ],
    ids=lambda kwargs: next(reversed(kwargs), 'relative') if isinstance(kwargs, dict) else '',
)
def test_how_numbers_come_out_of_the_last_convolution(kwargs, formula, unit):
    head = build(**kwargs)
    head.predictor.conv3.weight.data *= 0.01
    prediction = head(tiny.taps())
    torch.testing.assert_close(prediction, formula(raw_output(head)))
    assert prediction.std() > 0
    assert head.unit == unit and head.is_metric is bool(unit)


@pytest.mark.parametrize(
    ('normalisation', 'normalise'),
    [
        ('relu', lambda x: (x.clamp(min=0) + 0.1) / (x.clamp(min=0) + 0.1).sum(1, keepdim=True)),
        ('softmax', lambda x: x.exp() / x.exp().sum(1, keepdim=True)),
        ('sigmoid', lambda x: x.sigmoid() / x.sigmoid().sum(1, keepdim=True)),
    ],
)
@pytest.mark.parametrize(
    ('spacing', 'depths'),
    [
        ('linear', [1.0, 5.5, 10.0]),
        ('log', [1.0, 10**0.5, 10.0]),
        ('mixed-log', [1.0, (10**0.5 + 5.5) / 2, 10.0]),
    ],
)
def test_bins_are_weighted_means_of_depths(spacing, depths, normalisation, normalise):
    bins = dict(low=1, high=10, number=3, spacing=spacing, normalisation=normalisation)
    head = build(output='depth', bins=bins)
    head.predictor.conv3.weight.data *= 0.01
    prediction = head(tiny.taps())
    weighted = normalise(raw_output(head)) * torch.tensor(depths)[:, None, None]
    torch.testing.assert_close(prediction, weighted.sum(1, keepdim=True))
    assert prediction.std() > 0


@pytest.mark.parametrize(
    ('options', 'bounds'),
    [
        (dict(), (0, float('inf'))),
        (dict(min_depth=0.5), (0.5, float('inf'))),
        (dict(max_depth=80.0), (0, 80)),
        (dict(median_depth=5.0), (0, float('inf'))),
        (dict(log_range=(0.5, 80.0)), (0.5, 80)),
        (dict(inversion=(0.1, 0.125)), (0, 8)),
        (dict(bins=dict(low=0.5, high=80, number=9)), (0.5, 80)),
    ],
    ids=lambda value: next(iter(value), 'relu') if isinstance(value, dict) else '',
)
def test_bounds_are_what_extreme_outputs_give(options, bounds):
    parametrisation = build(output='depth', **options).parametrisation
    x = torch.zeros(1, parametrisation.channels, 1, 2, dtype=torch.float64)
    x[:, 0, 0, 0] = x[:, -1, 0, 1] = 1e9  # one bin's channel, or the only one
    outermost = torch.cat((parametrisation(x), parametrisation(-x)), dim=-1)
    expected = torch.tensor(bounds, dtype=torch.float64).clamp(max=1e9)
    found = torch.stack(outermost.clamp(max=1e9).aminmax())
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    assert parametrisation.bounds == pytest.approx(bounds)


def test_an_untrained_head_predicts_about_the_median_depth():
    torch.manual_seed(0)
    head = DepthDPTHead('depth', median_depth=5.0, **tiny.HEAD)
    torch.testing.assert_close(head(tiny.taps()).median(), torch.tensor(5.0), rtol=0.25, atol=0)


@pytest.mark.parametrize('stored', [False, True], ids=['autocast', 'stored weights'])
@pytest.mark.parametrize(
    'kwargs',
    [
        dict(),
        dict(output='disparity'),
        dict(output='depth', max_depth=80.0),
        dict(output='depth', median_depth=5.0),
        dict(output='depth', log_range=(0.5, 80.0)),
        dict(output='depth', inversion=(0.1, 0.05)),
        dict(output='depth', bins=dict(low=0.5, high=80, number=9)),
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
    single = head(tiny.taps(16, 24))
    if stored:
        store_weights_in(torch.bfloat16, head)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = head(tiny.taps(16, 24))
    assert half.dtype == torch.float32
    assert half.unique().numel() > 0.9 * single.unique().numel() > 0.3 * single.numel()
    assert (half - single).abs().mean() < 0.05 * single.std()


def test_clamp_bounds_predictions():
    head = build(output='depth', max_depth=10.0, clamp=(4.0, 5.0))
    depth = head.predict(tiny.taps(), [dict(img_shape=(64, 96))], None)
    assert depth.min() >= 4 and depth.max() <= 5 and depth.std() > 0


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(upsampling='cubic'), "upsampling must be one of .*, got 'cubic'"),
        (
            dict(upsampling='subpixel', patch_size=14),
            'needs hidden_channels, no sky and whole pixels in a cell, got 32, False and 7/4',
        ),
        (dict(output='metric'), "one of .*'metric'"),
        (dict(output='relative', max_depth=10.0), "output is 'relative'"),
        (dict(output='disparity', inversion=(1.0, 0.0)), "output is 'disparity'"),
        (dict(output='relative', canonical_focal=300.0), "output is 'relative'"),
        (dict(output='depth', max_depth=1.0, inversion=(1.0, 0.0)), 'exclude each other'),
        (dict(output='depth', max_depth=1.0, median_depth=5.0), 'exclude each other'),
        (dict(output='depth', median_depth=0.0), 'median_depth must be positive, got 0.0'),
        (dict(output='depth', max_depth=-1.0), 'max_depth must be positive, got -1.0'),
        (dict(output='depth', min_depth=-1.0), 'min_depth must be positive, got -1.0'),
        (dict(output='depth', log_range=(0.0, 80.0)), 'to a greater one, got 0.0, 80.0'),
        (dict(output='depth', bins=dict(low=9, high=8)), 'to a greater one, got 9, 8'),
        (dict(output='depth', bins=dict(low=1, high=8, spacing='even')), "spacing.*'even'"),
        (dict(output='depth', bins=dict(low=1, high=8, normalisation='l1')), "one of.*'l1'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)


@pytest.mark.parametrize(
    ('kwargs', 'beyond', 'end'),
    [
        (dict(max_depth=80.0), 150.0, 80.0),
        (dict(log_range=(0.5, 80.0)), 150.0, 80.0),
        (dict(log_range=(0.5, 80.0)), 0.4, 0.5),
        (dict(min_depth=0.5), 0.4, 0.5),
        (dict(inversion=(0.1, 1 / 64)), 70.0, 64.0),
    ],
)
def test_depth_that_cannot_be_predicted_does_not_train(kwargs, beyond, end):
    """As metric_depth/train.py of Depth Anything V2 masks it; the ends themselves count."""
    head = build(output='depth', loss_decode=dict(type='SiLogLoss'), **kwargs)
    depth = torch.full((2, 1, 64, 96), 40.0)
    depth[:, :, 0] = end
    losses = []
    for value in (beyond, torch.nan):
        depth[..., -20:] = value
        losses.append(head.loss(tiny.taps(), samples(depth), None)['loss_silog'])
    depth[:, :, 0] = torch.nan
    others = head.loss(tiny.taps(), samples(depth), None)['loss_silog']
    assert losses[0] == losses[1] != others


@pytest.mark.parametrize(('output', 'inverted'), [('depth', False), ('disparity', True)])
def test_target_is_depth_or_its_inverse_on_valid_pixels(output, inverted):
    """By the mean absolute error, halved."""
    criterion = dict(type='SSILoss', alignment='none', criterion='mae')
    head = build(output=output, loss_decode=criterion)
    depth = torch.rand(2, 1, 50, 90) + 1
    depth[:, :, :20] = torch.nan
    loss = head.loss(tiny.taps(), samples(depth), None)['loss_ssi']
    target = 1 / depth if inverted else depth
    errors = (head(tiny.taps())[..., :50, :90] - target)[:, :, 20:].abs()
    torch.testing.assert_close(loss, errors.mean() / 2)
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
