"""WHDR on ordinal pairs, and scale and shift of a relative model, by hand and through the tool."""

import numpy as np
import pytest
import tiny
import torch

from mmdpt.config import load_config
from mmdpt.errors import InputError
from mmdpt.evaluation import InversionFit
from mmdpt.evaluation.whdr_metric import WHDRMetric
from mmdpt.inference.model import build_model

CLOSER, FARTHER = (0, 0), (1, 2)
DISPARITY = torch.tensor([[5.0, 4, 3], [4, 3, 1]])


def sample(*pairs, pred=DISPARITY, name='a.thumb'):
    return dict(img_path=name, pred_depth_map=dict(data=pred), ordinal_pairs=pairs)


def whdr(*samples, **arguments):
    metric = WHDRMetric(**arguments)
    for one in samples:
        metric.process({}, [one])
    return metric.evaluate(len(samples))['whdr']


def test_the_relation_is_between_depths_and_the_mean_over_all_pairs():
    """Larger disparity is closer: depth at (1, 2) > depth at (0, 0)."""
    assert whdr(sample((FARTHER, CLOSER, '>'))) == 0
    assert whdr(sample((CLOSER, FARTHER, '<'))) == 0
    assert whdr(sample((FARTHER, CLOSER, '<'))) == 100
    assert whdr(sample((CLOSER, FARTHER, '>'))) == 100
    assert whdr(sample((FARTHER, CLOSER, '>'), pred=1 / DISPARITY[None]), output='depth') == 0
    assert whdr(sample((FARTHER, CLOSER, '<'), pred=1 / DISPARITY), output='depth') == 100
    right, wrong = (FARTHER, CLOSER, '>'), (FARTHER, CLOSER, '<')
    assert whdr(sample(right), sample(right, wrong), sample(wrong), sample(right)) == 40
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
def test_wrong_input_names_the_image_and_an_unknown_output_is_refused(pair, pred, message):
    with pytest.raises(InputError, match=f'diw/17.thumb: .*{message}'):
        whdr(sample(pair, pred=pred, name='diw/17.thumb'))
    with pytest.raises(ValueError, match="got 'metric'"):
        WHDRMetric(output='metric')


DEPTH = np.array([[1.0, 2, 4], [5, 8, 10]])


def fit(*pairs):
    metric = InversionFit()
    for pred, depth in pairs:
        maps = dict(pred_depth_map=dict(data=pred), gt_depth_map=dict(data=depth))
        metric.process({}, [dict(img_path='a.png', **maps)])
    return metric.evaluate(len(pairs))


def test_scales_and_shifts_by_median_and_mean_absolute_deviation_are_averaged():
    """0.02 x - 0.1 and 0.04 x + 0.3; invalid depth, and what the network did not see, count not."""
    first, second = (1 / DEPTH + 0.1) / 0.02, (1 / DEPTH - 0.3) / 0.04
    holes, unseen = DEPTH.copy(), second.copy()
    holes[0, 0], first[0, 0], unseen[0, 1] = np.nan, 1e6, np.nan
    assert fit((first, holes), (unseen, DEPTH)) == pytest.approx(dict(scale=0.03, shift=0.1))
    # of 1, 2, 9 the median is 2, the mean deviation 8 / 3; of 1, 1/2, 1/4 they are 1/2 and 1/4
    found = fit((np.array([[1.0, 2, 9]]), DEPTH[:1]))
    assert found == pytest.approx(dict(scale=3 / 32, shift=1 / 2 - 2 * 3 / 32))
    # an image that cannot be aligned is left out
    constant, nothing = (np.ones_like(DEPTH), DEPTH), (DEPTH, DEPTH * np.nan)
    assert fit(constant, nothing, (1 / DEPTH, DEPTH)) == pytest.approx(dict(scale=1, shift=0))
    with pytest.raises(InputError, match='none of 2 images has depth that the prediction can be'):
        fit(constant, nothing)


def test_the_tool_prints_the_option_for_a_config(scenes, call_tool, tmp_path, capsys):
    """Over the eight training images, whatever the config's own head makes of x."""
    config = tiny.write_config(tmp_path, 'depth', scenes)
    torch.save(tiny.randomise(build_model(str(config))).state_dict(), tmp_path / 'x.pth')
    call_tool('fit_inversion.py', config, tmp_path / 'x.pth', '--work-dir', tmp_path / 'work')
    printed = capsys.readouterr().out
    assert '[8/8]' in printed
    option = printed.strip().splitlines()[-1].removeprefix('--cfg-options ')
    head = load_config(str(config), [option]).model.decode_head
    assert len(head.inversion) == 2 and head.inversion[0] > 0
