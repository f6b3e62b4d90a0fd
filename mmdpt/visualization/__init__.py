"""Draw labels, depth, samples of data sets and curves of trainings."""

from .curves import plot_curves
from .depth import colourise_depth, depth_panel
from .samples import sample_panel, stack_panels
from .segmentation import colourise, segmentation_panel

__all__ = [
    'colourise',
    'colourise_depth',
    'depth_panel',
    'plot_curves',
    'sample_panel',
    'segmentation_panel',
    'stack_panels',
]
