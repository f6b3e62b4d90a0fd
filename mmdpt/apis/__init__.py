"""What a program calls."""

from mmdpt.checkpoints import list_models

from .inferencer import DPTInferencer
from .model import build_model, init_model

__all__ = ['DPTInferencer', 'build_model', 'init_model', 'list_models']
