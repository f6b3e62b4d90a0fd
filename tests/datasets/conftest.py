"""Steps in pipelines are found by their bare names."""

import pytest
from checked_sets import write_splits
from mmengine.registry import init_default_scope

import mmdpt.datasets  # noqa: F401


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdpt')


@pytest.fixture
def root(tmp_path):
    """The folder of a data set to check, see ``write_splits``."""
    return write_splits(tmp_path)
