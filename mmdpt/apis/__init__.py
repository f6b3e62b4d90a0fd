"""What a program calls."""

from .model import build_model, init_model
from .model_zoo import list_models

__all__ = ['build_model', 'init_model', 'list_models']
