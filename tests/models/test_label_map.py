"""Label maps are mmseg's, bit for bit, in a part of the memory."""

import json
from itertools import chain
from types import SimpleNamespace

import pytest
import torch
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch.profiler import ProfilerActivity, profile

from mmdpt.models.segmentors import encoder_decoder as module
from mmdpt.models.segmentors.encoder_decoder import groups, label_map

PADDING = dict(padding_size=[3, 2, 1, 4])
FLIPS = [dict(flip=True, flip_direction=axis) for axis in ('horizontal', 'vertical')]
LAYOUTS = [torch.contiguous_format, torch.channels_last]
SIZES = [(61, 67), (97, 131), (60, 67), (55, 62), (23, 40), (1, 1)]
"""Enlarged, by either of torch's kernels; as they are, or without padding; reduced; a pixel."""


@pytest.fixture
def frugal(monkeypatch):
    """Small maps by the way of large ones."""
    monkeypatch.setattr(module, 'FEW', 0)


def of_mmseg(logits, meta, align_corners, threshold=0.5):
    model = SimpleNamespace(
        align_corners=align_corners, decode_head=SimpleNamespace(threshold=threshold)
    )
    sample = SegDataSample(metainfo=meta)
    [done] = BaseSegmentor.postprocess_result(model, logits[None], [sample])
    return done.pred_sem_seg.data[0].long()


def noise(num_classes, height, width, layout=torch.contiguous_format):
    torch.manual_seed(num_classes)
    return torch.randn(1, num_classes, height, width).contiguous(memory_format=layout)[0]


def confident(num_classes, height, width, layout=torch.contiguous_format):
    """Logits as of a trained model: smooth, and large for few classes."""
    torch.manual_seed(num_classes)
    coarse = 3 * torch.randn(1, num_classes, 4, 5)
    coarse[:, ::3] -= 9
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode='bicubic')
    return (fine + 0.05 * torch.randn_like(fine)).contiguous(memory_format=layout)[0]


@pytest.mark.parametrize('num_classes', [1, 2, 3, 7, 8, 9, 11, 12, 17, 19, 27, 150])
@pytest.mark.parametrize('layout', LAYOUTS, ids=str)
@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('draw', [noise, confident])
def test_labels_are_those_of_mmseg(frugal, num_classes, layout, align_corners, draw):
    """Layouts and numbers of channels are rounded differently by torch's kernels."""
    logits = draw(num_classes, 60, 67, layout)
    for size in SIZES:
        for extra in ({}, PADDING, *FLIPS, {**PADDING, **FLIPS[0]}):
            meta = dict(ori_shape=size, **extra)
            expected = of_mmseg(logits, meta, align_corners, 0.6)
            labels = label_map(logits, meta, align_corners, 0.6)
            assert labels.dtype == torch.int64
            assert torch.equal(labels, expected), (size, extra)


def with_extreme(value):
    logits = noise(20, 7, 9)
    logits[[4, 11, 11, 17], [2, 2, 3, 6], [5, 5, 5, 0]] = value
    return logits


@pytest.mark.parametrize(
    ('logits', 'size'),
    [
        # half a million pixels: some are near a tie, where another rounding is another label
        *((confident(27, 128, 170, layout), (701, 903)) for layout in LAYOUTS),
        *((noise(20, *shape), (30, 21)) for shape in ((1, 9), (9, 1), (1, 1))),
        *(
            (with_extreme(value), size)
            for value in (torch.nan, torch.inf, -torch.inf)
            for size in ((20, 25), (7, 9))
        ),
        (noise(300, 5, 6), (12, 15)),  # beyond 8 bits
    ],
)
def test_unusual_maps_are_labelled_as_by_mmseg(frugal, logits, size):
    labels = label_map(logits, dict(ori_shape=size), False)
    assert torch.equal(labels, of_mmseg(logits, dict(ori_shape=size), False))
    assert len(logits) < 256 or labels.max() > 255


def test_of_equal_classes_the_first_is_taken(frugal):
    logits = torch.zeros(24, 2, 2)
    logits[7] = logits[10] = 1
    assert label_map(logits, dict(ori_shape=(4, 4)), False).unique().tolist() == [7]


def test_few_logits_are_labelled_as_by_mmseg():
    logits = confident(11, 60, 67)
    for meta in (dict(ori_shape=(90, 120)), dict(ori_shape=(90, 120), **PADDING, **FLIPS[0])):
        assert torch.equal(label_map(logits, meta, True), of_mmseg(logits, meta, True))


@pytest.mark.parametrize('num_classes', range(1, 40))
def test_groups_have_eight_classes_and_the_rest_its_place(num_classes):
    whole = [list(group) for group in groups(range(num_classes), num_classes)]
    assert list(chain(*whole)) == list(range(num_classes))
    assert all(len(group) == 8 for group in whole[:-1])
    assert 3 < len(whole[-1]) < 12 or num_classes < 4
    few = [list(group) for group in groups([0, num_classes - 1], num_classes)]
    assert {0, num_classes - 1} <= set(chain(*few))
    assert few[-1] == (whole[-1] if num_classes % 8 else [0] + 7 * [num_classes - 1])


def peak_bytes(function, folder):
    """Count what torch allocates while a function runs: the most that is alive at once."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        function()
    profiler.export_chrome_trace(str(folder / 'trace.json'))
    events = json.loads((folder / 'trace.json').read_text())['traceEvents']
    totals = [e['args']['Total Allocated'] for e in events if e.get('name') == '[memory]']
    return max(totals) - min(totals)  # all of it is free again at the end


@pytest.mark.parametrize('layout', LAYOUTS, ids=str)
@pytest.mark.parametrize('draw', [noise, confident])
def test_memory_is_an_eighth_of_mmseg_s(layout, draw, tmp_path):
    """150 classes: 600 bytes a pixel there, here 8 maps, 3 at most of their numbers, and labels."""
    logits, meta = draw(150, 64, 83, layout), dict(ori_shape=(300, 390))
    assert peak_bytes(lambda: [torch.empty(5000, dtype=torch.uint8)] * 2, tmp_path) == 5000
    theirs = peak_bytes(lambda: of_mmseg(logits, meta, False), tmp_path)
    ours = peak_bytes(lambda: label_map(logits, meta, False), tmp_path)
    assert theirs >= 600 * 300 * 390
    assert ours <= theirs / 8


def test_no_map_of_every_class_is_made_where_one_class_rules(tmp_path):
    logits = torch.zeros(150, 64, 83)
    logits[99] = 1
    meta = dict(ori_shape=(300, 390))
    labels = label_map(logits, meta, False)
    assert labels.shape == (300, 390) and labels.unique().tolist() == [99]
    peak = peak_bytes(lambda: label_map(logits, meta, False), tmp_path)
    assert peak <= 8 * 300 * 390 + 3 * 150 * 17 * 83 * 4
