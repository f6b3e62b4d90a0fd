"""Export a model to a file that runs without mmdpt, and compare the two."""

from .on_data import loss_on_data, prepared_images
from .writing import FORMATS, export_model

__all__ = ['FORMATS', 'export_model', 'loss_on_data', 'prepared_images']
