"""Hooks of the runner."""

from .checkpoint_match_hook import CheckpointMatchHook
from .comparison_hook import ComparisonHook
from .depth_writer_hook import DepthWriterHook

__all__ = ['CheckpointMatchHook', 'ComparisonHook', 'DepthWriterHook']
