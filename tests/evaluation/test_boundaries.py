"""Boundary scores: against the published definitions, pixel by pixel, and by hand."""

import numpy as np
import pytest
import torch

from mmdpt.evaluation import DepthMetric, boundary_scores

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
