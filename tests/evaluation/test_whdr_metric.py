"""WHDR on ordinal pairs, by hand."""

import numpy as np
import pytest
import torch

from mmdpt.errors import InputError
from mmdpt.evaluation.whdr_metric import WHDRMetric

CLOSER, FARTHER = (0, 0), (1, 2)
DISPARITY = torch.tensor([[5.0, 4, 3], [4, 3, 1]])


def sample(*pairs, pred=DISPARITY, name='a.thumb'):
    return dict(img_path=name, pred_depth_map=dict(data=pred), ordinal_pairs=pairs)


def whdr(*samples, **arguments):
    metric = WHDRMetric(**arguments)
    for one in samples:
        metric.process({}, [one])
    return metric.evaluate(len(samples))['whdr']


def test_the_relation_is_between_depths():
    """Larger disparity is closer: depth at (1, 2) > depth at (0, 0)."""
    assert whdr(sample((FARTHER, CLOSER, '>'))) == 0
    assert whdr(sample((CLOSER, FARTHER, '<'))) == 0
    assert whdr(sample((FARTHER, CLOSER, '<'))) == 100
    assert whdr(sample((CLOSER, FARTHER, '>'))) == 100
    assert whdr(sample((FARTHER, CLOSER, '>'), pred=1 / DISPARITY[None]), output='depth') == 0
    assert whdr(sample((FARTHER, CLOSER, '<'), pred=1 / DISPARITY), output='depth') == 100


def test_mean_over_pairs_of_all_images():
    right, wrong = (FARTHER, CLOSER, '>'), (FARTHER, CLOSER, '<')
    assert whdr(sample(right), sample(right, wrong), sample(wrong), sample(right)) == 40


def test_image_without_pairs_is_left_out():
    named = dict(img_path='empty.thumb', pred_depth_map=dict(data=DISPARITY))
    assert whdr(named, sample((FARTHER, CLOSER, '>'))) == 0
    with pytest.raises(InputError, match='none of 1 images has ordinal pairs'):
        whdr(named)


@pytest.mark.parametrize(
    ('pair', 'pred', 'message'),
    [
        ((FARTHER, CLOSER, '='), DISPARITY, "'<' or '>', got '='"),
        (((2, 0), CLOSER, '<'), DISPARITY, r'point \(2, 0\) lies outside 2 x 3'),
        ((FARTHER, (0, -1), '<'), DISPARITY, r'point \(0, -1\) lies outside 2 x 3'),
        ((FARTHER, CLOSER, '<'), DISPARITY * np.nan, 'NaN or infinite'),
        ((FARTHER, CLOSER, '<'), DISPARITY[None, None], r'got \(1, 1, 2, 3\)'),
    ],
)
def test_wrong_input_names_the_image(pair, pred, message):
    with pytest.raises(InputError, match=f'diw/17.thumb: .*{message}'):
        whdr(sample(pair, pred=pred, name='diw/17.thumb'))


def test_unknown_output():
    with pytest.raises(ValueError, match="got 'metric'"):
        WHDRMetric(output='metric')
