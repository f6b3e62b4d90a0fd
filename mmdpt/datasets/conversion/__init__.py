"""Convert downloaded depth data to the folders and list files that mmdpt's data sets read.

A converter keeps existing files and writes new ones atomically. It raises InputError, naming what
is missing, if the result would be incomplete.
"""

from .kitti import KITTISummary, convert_kitti
from .mix import MixSummary, convert_mix
from .mix_layouts import LAYOUTS, NO_RECIPE, Layout
from .nyu import NYUSummary, convert_nyu
from .tum import TUMSummary, convert_tum

__all__ = [
    'LAYOUTS',
    'NO_RECIPE',
    'KITTISummary',
    'Layout',
    'MixSummary',
    'NYUSummary',
    'TUMSummary',
    'convert_kitti',
    'convert_mix',
    'convert_nyu',
    'convert_tum',
]
