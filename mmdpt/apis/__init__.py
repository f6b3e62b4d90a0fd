"""What a program calls."""

from mmdpt.checkpoints import list_models

from .model import build_model, init_model

__all__ = ['build_model', 'init_model', 'list_models']
