"""A runner comes out of a config."""

import pytest
from mmengine.config import Config

from mmdpt.errors import InputError
from mmdpt.training.launch import build_runner


def test_a_runner_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="runner_type: there is no runner 'Shared'"):
        build_runner(Config(dict(runner_type='Shared')))
