"""Running MMEngine: configs, machines, hooks."""

from .config import load_config
from .config_check import check_config
from .hooks import (
    BadSampleHook,
    CheckpointHook,
    CheckpointMatchHook,
    ComparisonHook,
    DepthWriterHook,
    NonFiniteHook,
    SameBuffersHook,
    StopSignalHook,
)
from .launch import build_runner
from .optim_wrapper import AmpOptimWrapper, Bf16OptimWrapper, OptimWrapper
from .process_group import end_process_group, ranks_together
from .runner import Runner
from .sharded_runner import ShardedRunner
from .testing import prepare_test
from .train_loop import IterBasedTrainLoop

__all__ = [
    'AmpOptimWrapper',
    'BadSampleHook',
    'Bf16OptimWrapper',
    'CheckpointHook',
    'CheckpointMatchHook',
    'ComparisonHook',
    'DepthWriterHook',
    'IterBasedTrainLoop',
    'NonFiniteHook',
    'OptimWrapper',
    'Runner',
    'SameBuffersHook',
    'ShardedRunner',
    'StopSignalHook',
    'build_runner',
    'check_config',
    'end_process_group',
    'load_config',
    'prepare_test',
    'ranks_together',
]
