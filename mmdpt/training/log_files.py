"""Logs that end no training when they cannot be written, and whose files are written once."""

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import LoggerHook as MMEngineLoggerHook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend as MMEngineLocalVisBackend

from mmdpt.registry import HOOKS, VISBACKENDS


def _losing_lines(write: Callable[..., None]) -> Callable[..., None]:
    """Let a method of a backend lose what it cannot write, and report the first loss."""

    @functools.wraps(write)
    def try_to_write(self: 'LocalVisBackend', *args: Any, **kwargs: Any) -> None:
        try:
            write(self, *args, **kwargs)
        except OSError as error:
            if not self.reported:
                print_log(
                    f'cannot write into {self._save_dir}: {error.strerror or error}; lines of its '
                    'files are lost',
                    'current',
                    level=logging.WARNING,
                )
            self.reported = True

    return try_to_write


@VISBACKENDS.register_module()
class LocalVisBackend(MMEngineLocalVisBackend):
    """MMEngine's files of scalars, pictures and the config, without errors on a full disk.

    A line that cannot be written is lost. The first loss is reported.
    """

    reported = False
    add_config = _losing_lines(MMEngineLocalVisBackend.add_config)
    add_image = _losing_lines(MMEngineLocalVisBackend.add_image)
    add_scalar = _losing_lines(MMEngineLocalVisBackend.add_scalar)
    add_scalars = _losing_lines(MMEngineLocalVisBackend.add_scalars)


@HOOKS.register_module()
class LoggerHook(MMEngineLoggerHook):
    """Log as MMEngine does; rank 0 alone writes the metrics of a test.

    MMEngine writes ``<time>/<time>.json`` on every rank. Ranks that write at once leave a file that
    no JSON reader takes.
    """

    @master_only
    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the metrics."""
        super().after_test_epoch(runner, metrics)


LOG_FILE_ONLY = (
    'System environment:',
    'Config:\n',
    'Hooks will be executed in the following order',
    'Distributed training is not used',
    'init_weights of ',
    'paramwise_options',
    'The prefix is not set in metric class',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)


def fits_the_console(record: logging.LogRecord) -> bool:
    """Tell what goes to the console from what a user looks up in the log file alone."""
    start = record.getMessage().lstrip('\n -')
    return not start.startswith(LOG_FILE_ONLY)


def report_once(handler: logging.FileHandler) -> None:
    """Report once that a log file cannot be written; logging would print a traceback a line."""

    def handle_error(record: logging.LogRecord) -> None:
        handler.handleError = lambda record: None  # type: ignore[method-assign]
        error = sys.exc_info()[1]
        reason = getattr(error, 'strerror', None) or error
        print(f'cannot write {handler.baseFilename}: {reason}', file=sys.stderr)

    handler.handleError = handle_error  # type: ignore[method-assign]
