"""Imports of the OpenMMLab packages without their start-up chatter.

Importing this module first registers the host packages' components and keeps two kinds of lines
off the console that a user can do nothing about: mmseg and mmpretrain print "Could not import
OneDL" when an optional company package is absent, and mmcv warns that its compiled operators,
which nothing here needs, are absent.
"""

import contextlib
import importlib
import io
import sys
import warnings

HOST_MODULES = (
    'mmpretrain.engine',
    'mmpretrain.models',
    'mmseg.datasets',
    'mmseg.engine',
    'mmseg.evaluation',
    'mmseg.models',
    'mmseg.visualization',
)

with contextlib.redirect_stdout(io.StringIO()) as _printed, warnings.catch_warnings():
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    for _name in HOST_MODULES:
        importlib.import_module(_name)

for _line in _printed.getvalue().splitlines():
    if 'Could not import OneDL' not in _line:
        print(_line, file=sys.stderr)
