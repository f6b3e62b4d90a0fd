"""Export a model to a file that runs without mmdpt, and compare the two."""

from .writing import FORMATS, export_model

__all__ = ['FORMATS', 'export_model']
