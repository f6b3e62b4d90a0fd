"""Models as files that run without mmdpt, compared with the model after writing."""

from .writing import FORMATS, export_model

__all__ = ['FORMATS', 'export_model']
