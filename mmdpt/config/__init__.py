"""Find a config, check every key, fit it to the machine."""

from .check import check_config
from .classes import check_classes
from .config_files import load_config
from .testing import prepare_test

__all__ = ['check_classes', 'check_config', 'load_config', 'prepare_test']
