"""Hooks of the runner."""

from .bad_sample_hook import BadSampleHook
from .checkpoint_hook import CheckpointHook
from .checkpoint_match_hook import CheckpointMatchHook
from .comparison_hook import ComparisonHook
from .depth_writer_hook import DepthWriterHook
from .nonfinite_hook import NonFiniteHook
from .same_buffers_hook import SameBuffersHook
from .stop_signal_hook import StopSignalHook

__all__ = [
    'BadSampleHook',
    'CheckpointHook',
    'CheckpointMatchHook',
    'ComparisonHook',
    'DepthWriterHook',
    'NonFiniteHook',
    'SameBuffersHook',
    'StopSignalHook',
]
