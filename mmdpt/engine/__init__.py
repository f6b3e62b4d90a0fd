"""Running MMEngine: configs, machines, hooks."""

from .config import load_config
from .config_check import check_config
from .hooks import CheckpointMatchHook, ComparisonHook, DepthWriterHook
from .launch import build_runner
from .optim_wrapper import Bf16OptimWrapper
from .process_group import end_process_group
from .runner import Runner
from .testing import prepare_test

__all__ = [
    'Bf16OptimWrapper',
    'CheckpointMatchHook',
    'ComparisonHook',
    'DepthWriterHook',
    'Runner',
    'build_runner',
    'check_config',
    'end_process_group',
    'load_config',
    'prepare_test',
]
