"""What other packages' own networks were recorded to hold and to predict."""

import runpy
from pathlib import Path

import pytest

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_isl_org.py')))


@pytest.fixture(scope='session')
def isl_org():
    """What record_isl_org.py recorded: outputs by name; commits, versions and shapes."""
    return REFERENCE['load'](REFERENCE['OUTPUTS'])


@pytest.fixture(scope='session')
def isl_org_state(isl_org):
    """Give the state dict of one of isl-org's own models, such as 'base-midas', narrow."""
    return lambda name: REFERENCE['filled'](isl_org[1]['shapes'][name])


@pytest.fixture(scope='session')
def depth_anything_3():
    """The weights by key of record_depth_anything_3.py's run, and its outputs by size."""
    recorded = runpy.run_path(str(Path(__file__).with_name('record_depth_anything_3.py')))
    outputs, about = REFERENCE['load'](recorded['OUTPUTS'])
    return REFERENCE['filled'](about['shapes'], recorded['fill']), outputs
