"""Two tasks on one encoder: each learns and predicts as the model of that task alone."""

import pytest
import tiny
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from mmdpt.models.segmentors.depth_estimator import DepthEstimator, JointEstimator, labelled_part
from mmdpt.models.segmentors.encoder_decoder import EncoderDecoder

PLAIN = dict(norm_cfg=None)  # statistics of a batch's parts would differ
CLASSES, SIZE = 5, (40, 56)
WINDOWS = dict(mode='slide', crop_size=(40, 48), stride=(40, 16))
SEGMENTATION = dict(
    **dict(tiny.HEAD, type='DPTHead', num_classes=CLASSES, norm_cfg=dict(type='BN')),
    **dict(dropout_ratio=0, auxiliary_weight=0.3),
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.7),
)
DEPTH = dict(
    **dict(tiny.HEAD, type='DepthDPTHead', output='depth', max_depth=10.0),
    loss_decode=dict(type='SiLogLoss', loss_weight=1.5),
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


def sample(seed, labels=True, depth=True):
    """Labels 0 to 4 with ignored rows on top, depths 1 to 9 m with invalid columns on the left."""
    torch.manual_seed(seed)
    label, metres = torch.randint(0, CLASSES, (1, *SIZE)), 1 + 8 * torch.rand(1, *SIZE)
    label[:, :5], metres[..., :7] = 255, torch.nan
    known = (label if labels else None, metres if depth else None)
    return tiny.sample(*known, img_shape=SIZE, ori_shape=SIZE)


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


def gradients(model, loss):
    model.zero_grad(set_to_none=True)
    loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def shared():
    """A model that shares the decoder, and one that has it twice, with the same weights."""
    heads = {**SEGMENTATION, **PLAIN}, {**DEPTH, **PLAIN}
    one, two = (JointEstimator(tiny.ENCODER, *heads, s, **settings()) for s in (True, False))
    tiny.draw_weights(one, std=0.2)
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
    torch.testing.assert_close(*losses)
    found, expected = gradients(one, total(losses[0])), gradients(two, total(losses[1]))
    for name in found:
        if name.startswith(('decode_head.reassemble.', 'decode_head.fusion.')):
            expected[name] += expected.pop(name.replace('decode_head', 'depth_head'))
    torch.testing.assert_close(found, expected)
    outputs = [model.eval().inference(inputs, [sample(1).metainfo]) for model in (one, two)]
    torch.testing.assert_close(*outputs)


@pytest.mark.parametrize('kinds', ['bb', 'blmn'])
def test_each_task_learns_from_its_labelled_samples_alone(kinds):
    """With both, labels only, depth in metres only, or neither: names and numbers are its own.

    The gradients of the encoder add up.
    """
    model, inputs = joint().train(), images(len(kinds))
    samples = [sample(k, kind in 'bl', kind in 'bm') for k, kind in enumerate(kinds, start=1)]
    segmentor, estimator = single_task(model)
    losses = model.loss(inputs, samples)
    labelled, measured = ([k for k, kind in enumerate(kinds) if kind in of] for of in ('bl', 'bm'))
    classes = segmentor.loss(inputs[labelled], [samples[k] for k in labelled])
    names = ('decode.loss_ce', 'decode.acc_seg', 'decode.aux_loss_ce', 'decode.aux_acc_seg')
    assert set(classes) == set(names)
    depth = estimator.loss(inputs[measured], [samples[k] for k in measured])
    expected = {**classes, 'depth.loss_silog': depth['decode.loss_silog']}
    torch.testing.assert_close(dict(losses), expected)
    assert all(value > 0 for value in losses.values())
    # the classifier's batch statistics are those of its labelled samples as well
    norm, alone = (m.decode_head.project.bn.running_mean for m in (model, segmentor))
    torch.testing.assert_close(norm, alone)
    expected = gradients(segmentor, total(classes))
    for name, gradient in gradients(estimator, total(depth)).items():
        if name.startswith('backbone.'):
            expected[name] += gradient
        else:
            expected[name.replace('decode_head', 'depth_head')] = gradient
    torch.testing.assert_close(gradients(model, total(losses)), expected)


@pytest.mark.parametrize(('labels', 'depth'), [(False, True), (True, False), (False, False)])
def test_head_without_labels_has_zero_gradients_but_has_them(labels, depth):
    """DDP with find_unused_parameters=False waits for every parameter's gradient.

    Of no label no accuracy is reported, mmseg's is 100 %; the samples stay as they were.
    """
    model, samples = joint().train(), [sample(k, labels, depth) for k in (1, 2)]
    losses = model.loss(images(2), samples)
    names = {'decode.loss_ce', 'decode.aux_loss_ce', 'depth.loss_silog'}
    accuracies = {'decode.acc_seg', 'decode.aux_acc_seg'}
    assert set(losses) == names | (accuracies if labels else set())
    for name, value in losses.items():
        assert value.requires_grad == (name in names)
        assert (value > 0) == (labels if name.startswith('decode.') else depth), name
    found = gradients(model, total(losses))
    learns = dict(decode_head=labels, depth_head=depth, backbone=labels or depth)
    for part, trains in learns.items():
        largest = [g.abs().max() for name, g in found.items() if name.startswith(part)]
        assert all(torch.isfinite(value) for value in largest) and (max(largest) > 0) == trains
    for one in samples:
        assert (('gt_sem_seg' in one), ('gt_depth_map' in one)) == (labels, depth)


def test_selected_taps_stay_channels_last():
    taps = joint().extract_feat(images(3))
    samples = [sample(1), sample(2, labels=False), sample(3)]
    selected, kept = labelled_part(taps, samples, 'gt_sem_seg', torch.zeros(1))
    assert kept == [samples[0], samples[2]]
    expected = [(feature[::2], readout[::2]) for feature, readout in taps]
    torch.testing.assert_close(list(selected), expected, rtol=0, atol=0)
    assert all(chosen.is_contiguous(memory_format=torch.channels_last) for chosen, _ in selected)


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
    meta = dict(ori_shape=(75, 110), img_shape=(37, 54), pad_shape=SIZE, padding_size=[0, 2, 0, 3])
    meta.update(flip=True, flip_direction='horizontal')
    result, labels, depth = (
        m.predict(images(), [tiny.sample(**meta)])[0] for m in (model, *single_task(model))
    )
    assert result.pred_depth_map.data.std() > 0.01
    assert torch.equal(result.pred_sem_seg.data, labels.pred_sem_seg.data)
    torch.testing.assert_close(result.pred_depth_map.data, depth.pred_depth_map.data)
    assert result.pred_sem_seg.data.shape == (1, 75, 110)
    assert (result.depth_output, result.depth_unit, result.is_metric) == ('depth', 'm', True)
    (result,) = model.predict(images())  # without samples, at the size of the input
    shapes = [found.data.shape for found in (result.pred_sem_seg, result.pred_depth_map)]
    assert shapes == [(1, *SIZE)] * 2 and result.is_metric
