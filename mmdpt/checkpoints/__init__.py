"""Checkpoints: read safely, converted from and to other code bases, loaded into models."""

from mmdpt.checkpoints.reading.reader import Checkpoint, read_checkpoint, state_dict_of
from mmdpt.checkpoints.reading.releases import list_models

from .convert import Report, to_foreign, to_ours
from .detect import SOURCES, detect
from .load import Mismatch, compare, load_weights, read_weights

__all__ = [
    'SOURCES',
    'Checkpoint',
    'Mismatch',
    'Report',
    'compare',
    'detect',
    'list_models',
    'load_weights',
    'read_checkpoint',
    'read_weights',
    'state_dict_of',
    'to_foreign',
    'to_ours',
]
