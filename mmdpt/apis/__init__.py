"""What a program calls."""

from .model import init_model
from .model_zoo import list_models

__all__ = ['init_model', 'list_models']
