"""Steps in pipelines are found by their bare names."""

import pytest
from mmengine.registry import init_default_scope


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdpt')
