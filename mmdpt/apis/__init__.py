"""What a program calls."""

from mmdpt.checkpoints import list_models
from mmdpt.inference.inferencer import DPTInferencer
from mmdpt.inference.model import build_model, init_model

__all__ = ['DPTInferencer', 'build_model', 'init_model', 'list_models']
