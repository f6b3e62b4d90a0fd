"""AbsRel as a loss, by hand."""

import pytest
import torch

from mmdpt.evaluation import DepthMetric
from mmdpt.models.losses import AbsRelLoss

TARGET = torch.tensor([2.0, 5, torch.nan, 0, -1]).reshape(1, 1, 1, 5)
PRED = torch.tensor([3.0, 4, 7, 7, 7]).reshape(1, 1, 1, 5)


def test_worked_example():
    """1 / 2 and 1 / 5; neither NaN nor a target that is not positive counts."""
    assert AbsRelLoss()(PRED, TARGET).item() == pytest.approx(0.35)
    assert AbsRelLoss(loss_weight=2.0)(PRED, TARGET).item() == pytest.approx(0.7)


@pytest.mark.parametrize(('reduction', 'expected'), [('image', (0 + 1) / 2), ('batch', 1 / 4)])
def test_reduction(reduction, expected):
    """An image of three right pixels, and one of a single pixel at twice its depth."""
    target = torch.tensor([[2.0, 3, 4], [5, torch.nan, torch.nan]]).reshape(2, 1, 1, 3)
    pred = target.nan_to_num(1) * torch.tensor([1, 2]).reshape(2, 1, 1, 1)
    assert AbsRelLoss(reduction=reduction)(pred, target).item() == pytest.approx(expected)


def test_equals_the_metric_of_that_name():
    generator = torch.Generator().manual_seed(0)
    pred, target = torch.rand(2, 4, 1, 5, 7, generator=generator) + 1
    metric = DepthMetric()
    samples = [
        dict(img_path=f'{k}.png', pred_depth_map=dict(data=p), gt_depth_map=dict(data=t))
        for k, (p, t) in enumerate(zip(pred, target, strict=True))
    ]
    metric.process({}, samples)
    assert AbsRelLoss()(pred, target).item() == pytest.approx(metric.evaluate(4)['abs_rel'])


def test_too_far_costs_more_than_too_near():
    target = torch.full((1, 1, 1, 1), 4.0)
    far, near = AbsRelLoss()(2 * target, target), AbsRelLoss()(target / 2, target)
    assert (far.item(), near.item()) == (1, 0.5)


def test_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match=r"reduction must be one of .*, got 'pixel'"):
        AbsRelLoss(reduction='pixel')
