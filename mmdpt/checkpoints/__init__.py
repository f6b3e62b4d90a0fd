"""Checkpoints: foreign layouts in and out, and whether one fits a model."""

from mmdpt.checkpoints.reading.reader import Checkpoint, read_checkpoint, state_dict_of
from mmdpt.checkpoints.reading.releases import list_models

from .compare import Mismatch, compare
from .convert import Report, to_foreign, to_ours
from .detect import SOURCES, detect

__all__ = [
    'SOURCES',
    'Checkpoint',
    'Mismatch',
    'Report',
    'compare',
    'detect',
    'list_models',
    'read_checkpoint',
    'state_dict_of',
    'to_foreign',
    'to_ours',
]
