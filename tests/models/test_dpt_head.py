"""The decoder and the segmentation head: stages against plain formulas, sizes, losses."""

from fractions import Fraction

import pytest
import tiny
import torch
import torch.nn.functional as F
from mmseg.models.losses import accuracy
from torch import nn

from mmdpt.errors import InputError
from mmdpt.models import DepthDPTHead, DPTHead, Fusion, Reassemble, VisionTransformerDPT
from mmdpt.models.decode_heads.dpt_head import padded_size, stride_of
from mmdpt.models.layers.fusion import convolve_upsampled
from mmdpt.models.layers.relu_dropout import ReLUDropout

ONE = dict(
    num_classes=2, out_channels=1, loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True)
)
"""A head of one logit."""


def build(**kwargs):
    torch.manual_seed(0)
    loss = dict(type='CrossEntropyLoss', avg_non_ignore=True)
    return DPTHead(**{**tiny.HEAD, 'num_classes': 3, 'loss_decode': loss, **kwargs})


def samples(height, width, batch=2, labels=None):
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (batch, 1, height, width)) if labels is None else labels
    return [tiny.sample(label) for label in labels]


def test_plain_maps_are_for_the_ignored_readout_and_what_does_not_fit_is_named():
    maps, head = [feature for feature, _ in tiny.taps()], build(readout_type='ignore').eval()
    torch.testing.assert_close(head(maps), head(tiny.taps()))
    with pytest.raises(ValueError, match="use readout_type='ignore'"):
        build(readout_type='project')(maps)
    with pytest.raises(ValueError, match='expected 4 taps, got 3'):
        build()(tiny.taps()[:3])
    with pytest.raises(InputError, match=r'x/a\.jpg has no gt_sem_seg to train on'):
        build().loss(tiny.taps(batch=1), [tiny.sample(img_path='x/a.jpg')], None)


def test_accuracy_of_one_logit_is_by_its_threshold():
    """Probability 0.5 everywhere: of class 1 for a threshold of 0.4, of class 0 for 0.6."""
    labels = torch.ones(1, 1, 32, 48, dtype=torch.long)
    labels[..., :3] = labels[..., 12:24] = 0
    labels[..., 24:] = 255
    for threshold, expected in ((0.4, 37.5), (0.6, 62.5)):
        head = build(**ONE, threshold=threshold)
        losses = head.loss_by_feat(torch.zeros(1, 1, 16, 24), samples(32, 48, 1, labels))
        assert losses['acc_seg'].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(readout_type='concat'), r"'ignore', 'add', 'project'.*'concat'"),
        *((dict(reassemble_scales=(4, 2, 1, s)), f'integer s, got {s}') for s in (1.5, 0.4, 0, -1)),
        (dict(reassemble_scales=(4, 2, 1)), '4 channels, 3 scales'),
        (dict(auxiliary_weight=-0.2), r'got -0\.2'),
        (dict(num_classes=2, out_channels=1), 'CrossEntropyLoss does not train one logit'),
        (dict(ONE, loss_decode=dict(type='DiceLoss')), 'DiceLoss does not train one logit'),
        (dict(ONE, threshold=1.5), r'between 0 and 1, got 1\.5'),
        (dict(act_cfg=dict(type='GELU')), "must be None or ReLU, got .*'GELU'"),
        (dict(dropout_ratio=-0.1), r'in 0..1, got -0\.1'),
        (dict(dropout_ratio=1.1), r'in 0..1, got 1\.1'),
        (dict(in_index=(0, 1)), "multiple values for keyword argument 'in_index'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build(**settings)


@pytest.mark.parametrize(
    ('norm_cfg', 'conv_bias', 'expected'),
    [(None, None, True), (dict(type='BN'), None, False), (dict(type='BN'), True, True)],
)
def test_bias_of_the_residual_units(norm_cfg, conv_bias, expected):
    unit = Fusion(8, norm_cfg=norm_cfg, conv_bias=conv_bias).blocks[1].residual_unit1
    assert (unit.conv1.bias is not None) is expected
    assert isinstance(unit.norm1, nn.Identity) is (norm_cfg is None)


def test_half_precision_logits_are_upsampled_in_float32():
    head, taps = build(auxiliary_weight=0.2), tiny.taps()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        for logits in (head(taps), head.auxiliary(head.fuse(taps)[1])):
            upsampled = head.upsample(logits, (64, 96), head.output_stride)
            assert logits.dtype == upsampled.dtype == torch.float32


def test_logits_of_a_window_have_its_size():
    meta = dict(img_shape=torch.Size((40, 60)), pad_shape=(500, 500))
    assert build().predict_by_feat(build()(tiny.taps(4, 6)), [meta]).shape[-2:] == (40, 60)


@pytest.mark.parametrize(
    ('patch_size', 'scale', 'stride'),
    [
        (16, 4, Fraction(2)),
        (14, 4, Fraction(7, 4)),
        (4, 1, Fraction(2)),
        (14, 2, Fraction(7, 2)),
        (4, 3, Fraction(2, 3)),
        (14, 3, Fraction(7, 3)),
        (16, 0.5, Fraction(16)),
        (9, 1 / 3, Fraction(27, 2)),
    ],
)
def test_a_cell_of_the_fused_map_is_half_a_cell_of_the_first(patch_size, scale, stride):
    assert stride_of(patch_size, scale) == stride
    fused = (round(2 * scale * 6), round(2 * scale * 36))  # of 6 x 36 cells
    assert padded_size(fused, stride) == (6 * patch_size, 36 * patch_size)


def test_losses_are_weighted_added_by_name_and_sampled():
    """As in mmseg; the 400 pixels that OHEM keeps of a batch are the hardest."""
    plain = dict(type='CrossEntropyLoss', avg_non_ignore=True)
    half, dice = {**plain, 'loss_weight': 0.5}, dict(type='DiceLoss', loss_weight=2.0)
    data = samples(64, 96)

    def losses(*criteria, **settings):
        head = build(dropout_ratio=0, loss_decode=list(criteria), **settings)
        return head.loss(tiny.taps(), data, None)

    light, heavy = losses(plain, auxiliary_weight=0.2), losses(plain, auxiliary_weight=0.6)
    torch.testing.assert_close(3 * light['aux_loss_ce'], heavy['aux_loss_ce'])
    mixed, twice, single = losses(half, dice), losses(plain, plain), losses(plain)['loss_ce']
    torch.testing.assert_close(light['loss_ce'], heavy['loss_ce'])
    torch.testing.assert_close(mixed['loss_ce'], 0.5 * single)
    assert 0 < mixed['loss_dice'] <= 2
    torch.testing.assert_close(twice['loss_ce'], 2 * single)
    hard = losses(plain, sampler=dict(type='OHEMPixelSampler', min_kept=200))['loss_ce']
    assert 400 / (64 * 96 * 2) * single < hard < 0.2 * single


@pytest.mark.parametrize('class_weight', [None, [0.5, 1.0, 2.0]])
@pytest.mark.parametrize('avg_non_ignore', [True, False])
def test_banded_loss_equals_mmsegs_on_full_resolution(class_weight, avg_non_ignore):
    criterion = dict(
        type='CrossEntropyLoss',
        class_weight=class_weight,
        # mmseg fails at class weights averaged over valid pixels; without is what it does then
        avg_non_ignore=avg_non_ignore and class_weight is None,
        loss_weight=0.7,
    )
    head = build(dropout_ratio=0, loss_decode=criterion)
    labels = torch.randint(0, 3, (2, 1, 64, 96))
    labels[:, :, :10] = 255
    losses = head.loss(tiny.taps(), samples(64, 96, labels=labels), None)
    full = head.upsample(head(tiny.taps()), (64, 96), head.output_stride)
    expected = head.loss_decode(full, labels.squeeze(1), ignore_index=255)
    right = accuracy(full, labels.squeeze(1), ignore_index=255)
    torch.testing.assert_close(losses, dict(loss_ce=expected, acc_seg=right))


@pytest.mark.parametrize('size', [(6, 8), (7, 3), (2, 2)])
def test_upsampled_convolution_has_the_plain_gradients(size):
    """Though the upsampled map is computed twice instead of kept."""
    torch.manual_seed(0)
    conv, x = nn.Conv2d(4, 5, 3, padding=1), torch.randn(2, 4, 3, 4, requires_grad=True)
    ours = convolve_upsampled(conv, x, size)
    plain = conv(F.interpolate(x, size, mode='bilinear', align_corners=True))
    torch.testing.assert_close(ours, plain)
    of = [x, *conv.parameters()]
    gradients = (torch.autograd.grad(out.square().sum(), of) for out in (ours, plain))
    torch.testing.assert_close(*gradients)


def test_dropped_relu_scales_what_stays_and_passes_its_gradient_alone():
    """Element by element: in no map does everything stay or go."""
    torch.manual_seed(0)
    x = torch.randn(1, 8, 32, 32, requires_grad=True)
    out = ReLUDropout(0.25)(x)
    stays, positive = out > 0, x > 0
    torch.testing.assert_close(out[stays], x[stays] / 0.75)
    assert abs(stays.sum() / positive.sum() - 0.75) < 0.03
    assert not (stays & ~positive).any()
    dropped = (positive & ~stays).float().mean(dim=(2, 3))
    assert (dropped > 0).all() and (dropped < positive.float().mean(dim=(2, 3))).all()
    weight = torch.randn_like(x)
    (out * weight).sum().backward()
    torch.testing.assert_close(x.grad, torch.where(stays, weight / 0.75, 0.0))


@pytest.mark.parametrize(
    ('p', 'training', 'kept'), [(0.0, True, 1), (0.5, False, 1), (1.0, True, 0)]
)
def test_nothing_is_dropped_in_evaluation_or_at_zero_and_everything_at_one(p, training, kept):
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    out = ReLUDropout(p).train(training)(x)
    torch.testing.assert_close(out, kept * x.relu())
    out.sum().backward()
    torch.testing.assert_close(x.grad, kept * (x > 0).float())


def test_tap_without_channels_goes_to_its_convolution_as_it_is_without_a_scale():
    reassemble = Reassemble((6, 24), (None, 4), 3, (1, 1), 'project')
    feature = torch.randn(2, 6, 4, 5)
    ((name, weight),) = reassemble.blocks[0].named_parameters()
    assert name == 'to_fusion.weight'
    expected, other = F.conv2d(feature, weight, padding=1), tiny.taps()[0]
    for tap in (feature, (feature, None)):
        torch.testing.assert_close(reassemble([tap, other])[0], expected)
    with pytest.raises(ValueError, match='keeps its scale: 1, got 2'):
        Reassemble((6, 24), (None, 4), 3, (2, 1))


@pytest.mark.parametrize('size', [(64, 64), (37, 81), (48, 80), (16, 17)])
@torch.no_grad()
def test_heads_predict_at_the_size_of_any_image(size):
    """And what they cut off is the padding: the rest equals the padded image's prediction."""
    stem = dict(type='ResNetV2', depths=(1, 1, 2), base_channels=32)
    backbone = VisionTransformerDPT(tiny.LAYERS, 64, out_indices=(1, 3), stem=stem)
    tiny.randomise(backbone).eval()
    widths = dict(embed_dims=(128, 256, 24, 24), reassemble_channels=(None, None, 12, 12))
    hybrid = dict(widths, reassemble_scales=(1, 1, 1, 0.5), patch_size=4, channels=8)
    hybrid['readout_type'] = 'project'
    depth, segmentation = DepthDPTHead(**hybrid).eval(), DPTHead(3, **hybrid).eval()
    torch.nn.init.constant_(depth.predictor.conv3.bias, 1)
    image = torch.randn(2, 3, *size)
    padded = F.pad(image, (0, -size[1] % 16, 0, -size[0] % 16))
    for head, channels in ((depth, 1), (segmentation, 3)):
        prediction = head.predict(backbone(image), [dict(img_shape=size)], None)
        whole = head.predict(backbone(padded), [dict(img_shape=padded.shape[2:])], None)
        assert prediction.shape == (2, channels, *size)
        assert prediction.std() > 0
        torch.testing.assert_close(prediction, whole[..., : size[0], : size[1]])
