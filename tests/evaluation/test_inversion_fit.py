"""Scale and shift of a relative model, by hand and through the tool."""

import numpy as np
import pytest
import tiny
import torch

from mmdpt.config import load_config
from mmdpt.errors import InputError
from mmdpt.evaluation import InversionFit
from mmdpt.inference.model import build_model

DEPTH = np.array([[1.0, 2, 4], [5, 8, 10]])


def fit(*pairs):
    metric = InversionFit()
    for pred, depth in pairs:
        maps = dict(pred_depth_map=dict(data=pred), gt_depth_map=dict(data=depth))
        metric.process({}, [dict(img_path='a.png', **maps)])
    return metric.evaluate(len(pairs))


def test_the_scales_and_shifts_of_images_are_averaged():
    """0.02 x - 0.1 and 0.04 x + 0.3; invalid depth, and what the network did not see, count not."""
    first, second = (1 / DEPTH + 0.1) / 0.02, (1 / DEPTH - 0.3) / 0.04
    holes, unseen = DEPTH.copy(), second.copy()
    holes[0, 0], first[0, 0], unseen[0, 1] = np.nan, 1e6, np.nan
    assert fit((first, holes), (unseen, DEPTH)) == pytest.approx(dict(scale=0.03, shift=0.1))


def test_an_image_is_aligned_by_median_and_mean_absolute_deviation():
    """Of 1, 2, 9 the median is 2, the mean deviation 8 / 3; of 1, 1/2, 1/4 they are 1/2 and 1/4."""
    found = fit((np.array([[1.0, 2, 9]]), DEPTH[:1]))
    assert found == pytest.approx(dict(scale=3 / 32, shift=1 / 2 - 2 * 3 / 32))


def test_an_image_that_cannot_be_aligned_is_left_out():
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
