"""The factor of a calibration: against a search."""

import numpy as np
import pytest

from mmdpt.training.test_outputs.calibration_hook import least_abs_rel_factor


@pytest.mark.parametrize('seed', range(3))
def test_no_other_factor_has_a_smaller_error(seed):
    rng = np.random.default_rng(seed)
    ratios = [rng.lognormal(0.2, 0.5, count) for count in (7, 40, 3)]

    def abs_rel(factor):
        return np.mean([np.abs(factor / ratio - 1).mean() for ratio in ratios])

    found = least_abs_rel_factor(ratios)
    candidates = np.geomspace(0.2, 5, 4001)
    assert abs_rel(found) <= min(map(abs_rel, candidates))
