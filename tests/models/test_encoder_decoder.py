"""Inference of segmentors is mmseg's, in less memory: whole, slide and augmented."""

from itertools import product

import pytest
import tiny
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.models.segmentors import EncoderDecoder as MMSegEncoderDecoder
from mmseg.models.segmentors.seg_tta import SegTTAModel as MMSegSegTTAModel

from mmdpt.errors import InputError
from mmdpt.models.segmentors.encoder_decoder import EncoderDecoder, windows
from mmdpt.models.segmentors.seg_tta import SegTTAModel

SIZE = (40, 56)
SLIDE = dict(mode='slide', crop_size=(24, 32), stride=(16, 15))


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdpt')


def segmentor(num_classes=9, of=EncoderDecoder, out_channels=None, **test_cfg):
    binary = out_channels == 1
    head = dict(tiny.HEAD, type='mmdpt.DPTHead', num_classes=num_classes, out_channels=out_channels)
    head['loss_decode'] = dict(type='CrossEntropyLoss', use_sigmoid=binary)
    model = of(
        tiny.ENCODER,
        dict(head, threshold=0.4 if binary else None),
        data_preprocessor=dict(type='SegDataPreProcessor'),
        test_cfg=ConfigDict({'mode': 'whole', 'keep_logits': False, **test_cfg}),
    )
    return tiny.draw_weights(model, std=0.2)


def image(seed=1, size=SIZE, number=1):
    return torch.randn(number, 3, *size, generator=torch.Generator().manual_seed(seed))


def sample(labels=None, **extra):
    meta = dict(ori_shape=(75, 110), img_shape=SIZE, pad_shape=SIZE, padding_size=[0] * 4)
    return tiny.sample(labels, **{**meta, **extra})


@pytest.mark.parametrize('test_cfg', [{}, SLIDE], ids=['whole', 'slide'])
@pytest.mark.parametrize('channels', [(9, None), (2, 1)], ids=['classes', 'binary'])
@torch.no_grad()
def test_predictions_are_those_of_mmseg(test_cfg, channels):
    """A batch of two: one mirrored by the pipeline and padded, one as it is."""
    flipped = dict(padding_size=[0, 2, 0, 3], flip=True, flip_direction='horizontal')
    ours, theirs = (
        segmentor(channels[0], of, channels[1], **test_cfg).predict(
            image(number=2), [sample(**flipped), sample()]
        )
        for of in (EncoderDecoder, MMSegEncoderDecoder)
    )
    for mine, other in zip(ours, theirs, strict=True):
        labels = other.pred_sem_seg.data
        assert mine.pred_sem_seg.data.dtype == labels.dtype
        assert torch.equal(mine.pred_sem_seg.data, labels)
        assert 'seg_logits' not in mine
        assert labels.shape == (1, 75, 110) and labels.unique().numel() > 1


@torch.no_grad()
def test_results_hold_the_logits_unless_told_otherwise_and_need_no_threshold():
    """mmseg's K-Net has none; without samples the logits are those of the network."""
    model = segmentor()
    del model.test_cfg.keep_logits, model.decode_head.threshold
    ours = model.predict(image(), [sample()])[0]
    theirs = segmentor(of=MMSegEncoderDecoder).predict(image(), [sample()])[0]
    assert torch.equal(ours.seg_logits.data, theirs.seg_logits.data)
    assert torch.equal(ours.pred_sem_seg.data, theirs.pred_sem_seg.data)
    logits = segmentor().predict(image())[0].seg_logits.data
    assert torch.equal(logits[None], segmentor().inference(image(), [sample().metainfo]))
    assert logits.shape == (9, *SIZE)


@pytest.mark.parametrize('size', [(40, 56), (24, 32), (20, 90), (41, 33)])
@torch.no_grad()
def test_windows_are_added_up_as_by_mmseg(size):
    ours, theirs = (
        segmentor(of=of, **SLIDE).slide_inference(image(size=size, number=2), [dict(), dict()])
        for of in (EncoderDecoder, MMSegEncoderDecoder)
    )
    assert torch.equal(ours, theirs)


def test_images_of_several_sizes_are_no_batch():
    inputs = [image(size=size)[0] for size in ((40, 56), (30, 56))]
    with pytest.raises(InputError, match=r'\(30, 56\) and \(40, 56\) px: set batch_size=1'):
        segmentor().test_step(dict(inputs=inputs, data_samples=[sample(), sample()]))


@pytest.mark.parametrize('stride', [0, 25])
def test_windows_that_leave_gaps_are_refused(stride):
    with pytest.raises(ValueError, match=f'stride must be in 1..crop_size, got {stride} .* 24 px'):
        windows(50, 24, stride)


def augmented(number=2):
    """Two scales, each also mirrored, of a batch."""
    data = dict(inputs=[], data_samples=[])
    for index, (size, flip) in enumerate(product((SIZE, (56, 72)), (False, True))):
        meta = dict(img_shape=size, pad_shape=size, flip=flip, flip_direction='horizontal')
        data['inputs'].append(list(255 * image(index, size, number)))
        labels = torch.full((1, 75, 110), index)
        names = (f'{place}_{index}.jpg' for place in range(number))
        data['data_samples'].append([sample(labels, **meta, img_path=name) for name in names])
    return data


@torch.no_grad()
def test_augmented_labels_are_those_of_mmseg():
    ours, theirs = (
        tta(segmentor(of=of)).test_step(augmented())
        for tta, of in ((SegTTAModel, EncoderDecoder), (MMSegSegTTAModel, MMSegEncoderDecoder))
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.equal(mine.pred_sem_seg.data, other.pred_sem_seg.data)
        assert mine.pred_sem_seg.data.unique().numel() > 1
        assert torch.equal(mine.gt_sem_seg.data, other.gt_sem_seg.data)
        assert mine.img_path == other.img_path
        assert 'seg_logits' not in mine
    assert [one.img_path for one in ours] == ['0_0.jpg', '1_0.jpg']
    alone = {key: values[:1] for key, values in augmented().items()}
    single = SegTTAModel(segmentor()).test_step(alone)[0].pred_sem_seg.data
    assert (ours[0].pred_sem_seg.data != single).float().mean() > 0.01


@torch.no_grad()
def test_of_one_class_the_average_probability_is_compared_with_the_threshold():
    """mmseg's own is (sigmoid(p_1) + ...) / 4, between 0.5 and 0.73, of probabilities."""
    model, total = segmentor(2, MMSegEncoderDecoder, 1), 0
    for inputs, samples in zip(*augmented(1).values(), strict=True):
        [result] = model.test_step(dict(inputs=inputs, data_samples=samples))
        total = total + result.seg_logits.data
    expected = (total / 4 > 0.4).float()
    [result] = SegTTAModel(segmentor(2, out_channels=1)).test_step(augmented(1))
    assert torch.equal(result.pred_sem_seg.data, expected)
    assert 0.05 < expected.mean() < 0.95


def test_augmented_tests_keep_no_graph(monkeypatch):
    model, logits = SegTTAModel(segmentor()), []
    encode = model.module.encode_decode
    monkeypatch.setattr(
        model.module, 'encode_decode', lambda *args: logits.append(encode(*args)) or logits[-1]
    )
    model.test_step(augmented(1))
    assert len(logits) == 4 and not any(found.requires_grad for found in logits)
