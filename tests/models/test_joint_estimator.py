"""Two tasks on one encoder: each learns and predicts as the model of that task alone."""

import pytest
import tiny
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdpt.models.segmentors.depth_estimator import (
    DepthEstimator,
    JointEstimator,
    labelled_part,
)
from mmdpt.models.segmentors.encoder_decoder import EncoderDecoder

PLAIN = dict(norm_cfg=None)  # statistics of a batch's parts would differ
CLASSES, SIZE = 5, (40, 56)
WINDOWS = dict(mode='slide', crop_size=(40, 48), stride=(40, 16))
SEGMENTATION = dict(
    type='DPTHead',
    num_classes=CLASSES,
    norm_cfg=dict(type='BN'),
    dropout_ratio=0,
    auxiliary_weight=0.3,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.7),
    **tiny.HEAD,
)
DEPTH = dict(
    type='DepthDPTHead',
    output='depth',
    max_depth=10.0,
    loss_decode=dict(type='SiLogLoss', loss_weight=1.5),
    **tiny.HEAD,
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdpt')


def settings(**test_cfg):
    return dict(
        data_preprocessor=dict(type='DepthDataPreProcessor', size=SIZE),
        train_cfg=dict(),
        test_cfg=ConfigDict({'mode': 'whole', **test_cfg}),
    )


def joint(**test_cfg):
    model = JointEstimator(tiny.ENCODER, SEGMENTATION, DEPTH, **settings(**test_cfg))
    return tiny.draw_weights(model, std=0.2)


def single_task(model):
    """The segmentation and the depth model with the weights of a joint one."""
    test_cfg = dict(model.test_cfg)
    segmentor = EncoderDecoder(tiny.ENCODER, SEGMENTATION, **settings(**test_cfg))
    estimator = DepthEstimator(tiny.ENCODER, DEPTH, **settings(**test_cfg))
    for single, head in ((segmentor, model.decode_head), (estimator, model.depth_head)):
        single.backbone.load_state_dict(model.backbone.state_dict())
        single.decode_head.load_state_dict(head.state_dict())
        single.train(model.training)
    return segmentor, estimator


def images(count=1, size=SIZE):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(1))


def sample(seed, labels=True, depth=True, size=SIZE):
    """Labels 0 to 4 with ignored rows on top, depths 1 to 9 m with invalid columns on the left."""
    random = torch.Generator().manual_seed(seed)
    result = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size))
    if labels:
        label = torch.randint(0, CLASSES, (1, *size), generator=random)
        label[:, :5] = 255
        result.gt_sem_seg = PixelData(data=label)
    if depth:
        metres = 1 + 8 * torch.rand(1, *size, generator=random)
        metres[..., :7] = torch.nan
        result.gt_depth_map = PixelData(data=metres)
    return result


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


def gradients(model, loss):
    model.zero_grad(set_to_none=True)
    loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def test_gradients_of_the_encoder_add_up():
    model, inputs, samples = joint().train(), images(2), [sample(1), sample(2)]
    parts = [gradients(m, total(m.loss(inputs, samples))) for m in single_task(model)]
    whole = gradients(model, total(model.loss(inputs, samples)))
    for name, value in whole.items():
        if name.startswith('backbone.'):
            torch.testing.assert_close(value, parts[0][name] + parts[1][name])
        elif name.startswith('depth_head.'):
            torch.testing.assert_close(value, parts[1][name.replace('depth_head', 'decode_head')])
        else:
            torch.testing.assert_close(value, parts[0][name])


def shared():
    """A model that shares the decoder, and one that has it twice, with the same weights."""
    one = JointEstimator(
        tiny.ENCODER, {**SEGMENTATION, **PLAIN}, {**DEPTH, **PLAIN}, True, **settings()
    )
    tiny.draw_weights(one, std=0.2)
    two = JointEstimator(tiny.ENCODER, {**SEGMENTATION, **PLAIN}, {**DEPTH, **PLAIN}, **settings())
    weights = dict(one.state_dict())
    assert not any(name.startswith('depth_head.fusion') for name in weights)
    for name in list(weights):
        if name.startswith(('decode_head.reassemble.', 'decode_head.fusion.')):
            weights[name.replace('decode_head', 'depth_head')] = weights[name]
    two.load_state_dict(weights)
    return one, two


@pytest.mark.parametrize('kinds', ['bb', 'bld'])
def test_heads_that_share_the_decoder_equal_two_decoders_of_equal_weights(kinds):
    one, two = shared()
    samples = [sample(k, kind in 'bl', kind in 'bd') for k, kind in enumerate(kinds)]
    inputs = images(len(kinds))
    losses = [model.train().loss(inputs, samples) for model in (one, two)]
    torch.testing.assert_close(losses[0], losses[1])
    by_name = gradients(one, total(losses[0])), gradients(two, total(losses[1]))
    for name, value in by_name[0].items():
        expected = by_name[1][name]
        if name.startswith(('decode_head.reassemble.', 'decode_head.fusion.')):
            expected = expected + by_name[1][name.replace('decode_head', 'depth_head')]
        torch.testing.assert_close(value, expected)
    outputs = [model.eval().inference(inputs, [sample(1).metainfo]) for model in (one, two)]
    torch.testing.assert_close(outputs[0], outputs[1])


@pytest.mark.parametrize('kinds', ['bb', 'blmn'])
def test_each_task_learns_from_its_labelled_samples_alone(kinds):
    """With both, labels only, depth in metres only, or neither: names and numbers are its own."""
    model, inputs = joint().train(), images(len(kinds))
    samples = [sample(k, kind in 'bl', kind in 'bm') for k, kind in enumerate(kinds, start=1)]
    segmentor, estimator = single_task(model)
    losses = model.loss(inputs, samples)
    labelled, measured = ([k for k, kind in enumerate(kinds) if kind in of] for of in ('bl', 'bm'))
    expected = segmentor.loss(inputs[labelled], [samples[k] for k in labelled])
    names = ('decode.loss_ce', 'decode.acc_seg', 'decode.aux_loss_ce', 'decode.aux_acc_seg')
    assert set(expected) == set(names)
    depth = estimator.loss(inputs[measured], [samples[k] for k in measured])
    expected['depth.loss_silog'] = depth['decode.loss_silog']
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert value > 0
        torch.testing.assert_close(losses[name], value)
    # the classifier's batch statistics are those of its labelled samples as well
    norm, alone = (m.decode_head.project.bn.running_mean for m in (model, segmentor))
    torch.testing.assert_close(norm, alone)


@pytest.mark.parametrize(
    ('labels', 'depth', 'idle', 'busy'),
    [(False, True, 'decode_head', 'depth_head'), (True, False, 'depth_head', 'decode_head')],
)
def test_head_without_labels_has_zero_gradients_but_has_them(labels, depth, idle, busy):
    """DDP with find_unused_parameters=False waits for every parameter's gradient."""
    model = joint().train()
    losses = model.loss(images(2), [sample(k, labels, depth) for k in (1, 2)])
    prefix = dict(decode_head='decode.', depth_head='depth.')
    for name, value in losses.items():
        assert value.requires_grad == ('loss' in name)
        assert (value == 0) == name.startswith(prefix[idle]), name
    found = gradients(model, total(losses))
    assert all(gradient is not None for gradient in found.values())
    assert all((g == 0).all() for name, g in found.items() if name.startswith(idle))
    for part in (busy, 'backbone'):
        largest = [g.abs().max() for name, g in found.items() if name.startswith(part)]
        assert all(torch.isfinite(value) for value in largest) and max(largest) > 0


def test_batch_without_any_label_has_zero_gradients():
    """The accuracy, mmseg's is 100 % of nothing, is not reported; the samples stay as they were."""
    model, samples = joint().train(), [sample(k, labels=False, depth=False) for k in (1, 2)]
    losses = model.loss(images(2), samples)
    assert set(losses) == {'decode.loss_ce', 'decode.aux_loss_ce', 'depth.loss_silog'}
    assert all((g == 0).all() for g in gradients(model, total(losses)).values())
    assert not any('gt_sem_seg' in one or 'gt_depth_map' in one for one in samples)


def test_selected_taps_stay_channels_last():
    taps = joint().extract_feat(images(3))
    samples = [sample(1), sample(2, labels=False), sample(3)]
    selected, kept = labelled_part(taps, samples, 'gt_sem_seg', torch.zeros(1))
    assert kept == [samples[0], samples[2]]
    for (feature, readout), (chosen, token) in zip(taps, selected, strict=True):
        torch.testing.assert_close(chosen, feature[::2], rtol=0, atol=0)
        torch.testing.assert_close(token, readout[::2], rtol=0, atol=0)
        assert chosen.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('mode', ['loss', 'predict', 'tensor'])
def test_encoder_runs_once(mode):
    model = joint().eval()
    calls = []
    model.backbone.register_forward_hook(lambda *_: calls.append(1))
    model(images(2), [sample(1), sample(2, depth=False)], mode=mode)
    assert len(calls) == 1


@torch.no_grad()
def test_outputs_are_those_of_both_heads_and_depth_is_the_last_channel():
    model, metas = joint().eval(), [dict(ori_shape=SIZE, img_shape=SIZE)]
    tasks = single_task(model)
    torch.testing.assert_close(model(images(2)), tuple(task(images(2)) for task in tasks))
    both = torch.cat([task.encode_decode(images(), metas) for task in tasks], dim=1)
    outputs = model.encode_decode(images(), metas)
    torch.testing.assert_close(outputs, both)
    slide = joint(**WINDOWS).eval().inference(images(), metas)  # else it shows nothing below
    for channels in (slice(CLASSES), slice(CLASSES, None)):
        assert not torch.allclose(outputs[:, channels], slide[:, channels], atol=1e-3)


@pytest.mark.parametrize('test_cfg', [{}, WINDOWS], ids=['whole', 'slide'])
@torch.no_grad()
def test_predictions_are_those_of_the_single_tasks(test_cfg):
    """At the original size, the picture mirrored by the pipeline and padded below and right."""
    model = joint(**test_cfg).eval()
    meta = dict(
        ori_shape=(75, 110),
        img_shape=(37, 54),
        pad_shape=SIZE,
        padding_size=[0, 2, 0, 3],
        flip=True,
        flip_direction='horizontal',
    )
    result, labels, depth = (
        m.predict(images(), [SegDataSample(metainfo=meta)])[0] for m in (model, *single_task(model))
    )
    assert result.pred_sem_seg.data.shape == (1, 75, 110)
    assert result.pred_depth_map.data.std() > 0.01
    assert torch.equal(result.pred_sem_seg.data, labels.pred_sem_seg.data)
    torch.testing.assert_close(result.pred_depth_map.data, depth.pred_depth_map.data)
    for name in ('depth_output', 'depth_unit', 'is_metric'):
        assert result.get(name) == depth.get(name)
    assert (result.depth_output, result.depth_unit, result.is_metric) == ('depth', 'm', True)


@torch.no_grad()
def test_without_samples_predictions_have_the_size_of_the_input():
    (result,) = joint().eval().predict(images())
    assert result.pred_sem_seg.data.shape == (1, *SIZE)
    assert result.pred_depth_map.data.shape == (1, *SIZE)
    assert result.is_metric
