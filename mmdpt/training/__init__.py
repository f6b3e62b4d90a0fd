"""What MMEngine lacks for training: exact resuming, whole checkpoints, stops that save."""

from .bad_sample_hook import BadSampleHook
from .launch import build_runner
from .log_files import LoggerHook
from .log_processor import LogProcessor
from .median_depth_hook import MedianDepthHook
from .nonfinite.nonfinite_hook import NonFiniteHook
from .nonfinite.optim_wrapper import AmpOptimWrapper, Bf16OptimWrapper, OptimWrapper
from .process_group import end_process_group
from .resume.checkpoint_hook import CheckpointHook
from .runner import Runner
from .same_buffers_hook import SameBuffersHook
from .stopping.stop_signal_hook import StopSignalHook
from .test_outputs.calibration_hook import CalibrationHook
from .test_outputs.comparison_hook import ComparisonHook, ValidationPictureHook
from .test_outputs.prediction_writer_hook import PredictionWriterHook
from .train_loop import EpochBasedTrainLoop, IterBasedTrainLoop

__all__ = [
    'AmpOptimWrapper',
    'BadSampleHook',
    'Bf16OptimWrapper',
    'CalibrationHook',
    'CheckpointHook',
    'ComparisonHook',
    'EpochBasedTrainLoop',
    'IterBasedTrainLoop',
    'LogProcessor',
    'LoggerHook',
    'MedianDepthHook',
    'NonFiniteHook',
    'OptimWrapper',
    'PredictionWriterHook',
    'Runner',
    'SameBuffersHook',
    'StopSignalHook',
    'ValidationPictureHook',
    'build_runner',
    'end_process_group',
]
