"""Boundary scores, pixel by pixel and by hand; crops, exact where protocols define them."""

import numpy as np
import pytest
import torch

from mmdpt.evaluation import DepthMetric, boundary_scores
from mmdpt.evaluation.crops import crop_slices

DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def pairs_of(height, width, offsets, inside):
    """Give centres and neighbours, one direction after another, as lists of index pairs."""
    for down, right in offsets:
        yield [
            ((y, x), (y + down, x + right))
            for y in range(inside, height - inside)
            for x in range(inside, width - inside)
            if 0 <= y + down < height and 0 <= x + right < width
        ]


def ratio(total, part):
    return part / total if total else 0.0


def by_pixels(pred, target, convention):
    """Average precision, recall and F1 over the thresholds with loops over pixels."""
    if convention == 'depth_pro':
        offsets, inside = DIRECTIONS, 0
    else:
        inside = int(convention[-1])
        steps = range(-inside, inside + 1)
        offsets = [(y, x) for y in steps for x in steps if y * y + x * x <= inside**2 + 1e-5]
    groups = list(pairs_of(*pred.shape, offsets, inside))
    if convention != 'depth_pro':
        groups = [[pair for group in groups for pair in group]]
    rows, weights = [], []
    for excess in np.linspace(0.05, 0.25, 10):
        precisions, recalls = [], []
        for group in groups:
            found = []
            for depth in (pred, target):
                values = 1 / depth if convention == 'depth_pro' else depth
                found.append({p for p in group if values[p[1]] / values[p[0]] > 1 + excess})
            common = len(found[0] & found[1])
            precisions.append(ratio(len(found[0]), common))
            recalls.append(ratio(len(found[1]), common))
        precision, recall = np.mean(precisions), np.mean(recalls)
        rows.append((precision, recall, ratio(precision + recall, 2 * precision * recall)))
        weights.append(excess + (convention == 'depth_pro'))
    return np.average(rows, axis=0, weights=weights)


def maps(seed, shape=(13, 17)):
    rng = np.random.default_rng(seed)
    target = rng.choice([1.0, 1.1, 1.5, 4.0], shape)
    pred = target * rng.uniform(0.9, 1.1, shape)
    hidden = rng.random(shape) < 0.1
    pred[hidden] = target[hidden] = np.nan
    return pred, target


@pytest.mark.parametrize('convention', ['depth_pro', 'moge_1', 'moge_2', 'moge_3'])
def test_equals_the_definition_pixel_by_pixel(convention):
    for seed in range(3):
        pred, target = maps(seed)
        scores = boundary_scores(pred, target, convention)
        expected = by_pixels(pred, target, convention)
        assert list(scores.values()) == pytest.approx(expected, abs=1e-12)


def test_one_of_two_edges_and_one_that_is_not_there():
    target, pred = np.ones((4, 8)), np.ones((4, 8))
    target[:, 2:] = 2
    target[:, 5:] = 4
    pred[:, 2:] = 2  # met
    pred[:, 6:] = 4  # one pixel off
    # up and down have no edge, left or right neither, since an edge has one nearer side
    expected = dict(precision=1 / 8, recall=1 / 8, f1=1 / 8)
    assert boundary_scores(pred, target, 'depth_pro') == pytest.approx(expected)
    assert boundary_scores(pred, target, 'moge_1')['f1'] == pytest.approx(1 / 2)


def test_the_metric_gives_them_over_the_evaluated_pixels_with_intervals():
    pred, target = maps(4, (480, 640))
    metric = DepthMetric(boundaries=('depth_pro', 'moge_1'), crop='nyu', bootstrap=10)
    sample = dict(
        img_path='a.png',
        pred_depth_map=dict(data=torch.from_numpy(pred).nan_to_num(1.0)),
        gt_depth_map=dict(data=torch.from_numpy(target)),
    )
    metric.process({}, [sample])
    metrics = metric.evaluate(1)
    outside = np.ones(pred.shape, bool)
    outside[45:471, 41:601] = False
    pred[outside] = target[outside] = np.nan
    for convention in ('depth_pro', 'moge_1'):
        for name, value in boundary_scores(pred, target, convention).items():
            assert metrics[f'{convention}_{name}'] == pytest.approx(value, rel=1e-6)
            assert metric.intervals[f'{convention}_{name}'] == pytest.approx((value, value))
    with pytest.raises(ValueError, match=r'boundaries must be among .*got .*sharp'):
        DepthMetric(boundaries=['sharp'])


@pytest.mark.parametrize(
    ('name', 'size', 'rows', 'columns'),
    [
        ('nyu', (480, 640), (45, 471), (41, 601)),
        ('garg', (375, 1242), (153, 371), (44, 1197)),
        ('garg', (352, 1216), (143, 349), (43, 1172)),
        # as monodepth's code computes; its comment says [-218, -3, 44, 1180]
        ('garg', (370, 1224), (151, 366), (43, 1180)),
        ('eigen', (375, 1242), (124, 342), (44, 1197)),
        ('eigen', (352, 1216), (117, 321), (43, 1172)),
        ('kb', (375, 1242), (23, 375), (13, 1229)),
        ('kb', (376, 1241), (24, 376), (12, 1228)),
        ('kb', (352, 1216), (0, 352), (0, 1216)),
        ('kb-garg', (375, 1242), (166, 372), (56, 1185)),
        ('kb-garg', (352, 1216), (143, 349), (43, 1172)),
    ],
)
def test_crops_are_exact_at_reference_sizes(name, size, rows, columns):
    assert crop_slices(name, *size) == (slice(*rows), slice(*columns))


@pytest.mark.parametrize(
    ('name', 'size', 'message'),
    [
        ('nyu_crop', (480, 640), "one of .*'nyu', .*'kb-garg'., got 'nyu_crop'"),
        ('nyu', (240, 320), 'nyu is defined for 480 x 640 pixels, got 240 x 320'),
        ('kb', (351, 1216), 'kb needs at least 352 x 1216 pixels, got 351 x 1216'),
        ('kb', (352, 1215), 'kb needs at least 352 x 1216 pixels, got 352 x 1215'),
        ('garg', (1, 1242), 'garg leaves nothing of 1 x 1242 pixels'),
        ('eigen', (375, 1), 'eigen leaves nothing of 375 x 1 pixels'),
    ],
)
def test_crop_that_is_not_defined(name, size, message):
    with pytest.raises(ValueError, match=message):
        crop_slices(name, *size)
