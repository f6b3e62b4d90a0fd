"""Find a config, check every key, fit it to the machine."""

from .check import check_config
from .config_files import load_config
from .testing import prepare_test

__all__ = ['check_config', 'load_config', 'prepare_test']
