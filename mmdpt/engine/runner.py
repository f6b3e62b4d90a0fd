"""MMEngine's runner with a readable console, which starts from any checkpoint that is read here."""

import logging
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner as MMEngineRunner
from mmengine.runner import find_latest_checkpoint

from mmdpt.checkpoints import read_checkpoint, to_ours
from mmdpt.checkpoints.compare import leave_out_reshaped
from mmdpt.checkpoints.detect import is_foreign
from mmdpt.checkpoints.releases import RELEASES
from mmdpt.engine.wrapped_model import unwrap

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


class Runner(MMEngineRunner):
    """MMEngine's runner; environment, config and hook list go to the log file alone.

    ``load_from`` takes what ``read_checkpoint`` takes, the name of a release among it, and converts
    foreign files; nothing in them is executed.
    """

    _load_from: str | None
    _resume: bool
    _has_loaded: bool

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger and filter its console."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(_fits_the_console)
        logger.info(f'log file: {logger.log_file}')
        return logger

    def load_or_resume(self) -> None:
        """Start from ``load_from``, or resume the newest checkpoint of the work dir.

        MMEngine would resume ``load_from``: here it is where training starts, in a config that is
        resumed, too.

        Raises:
            InputError: If the checkpoint cannot be had or does not fit the model.
        """
        if self._resume and self._load_from is not None:
            newest = find_latest_checkpoint(self.work_dir)
            self._resume = newest is not None
            self._load_from = newest or self._load_from
        if self._has_loaded or self._resume or self._load_from is None:
            super().load_or_resume()
            return
        state_dict, meta = read_checkpoint(self._load_from)
        if is_foreign(state_dict):
            state_dict, report = to_ours(state_dict)
            self.logger.info(f'{self._load_from} is of {report}')
        release = RELEASES.get(self._load_from)
        if release is not None and release.options:
            self.logger.info(
                f'{self._load_from}, for equal numbers: --cfg-options {" ".join(release.options)}'
            )
        self.call_hook('after_load_checkpoint', checkpoint=dict(state_dict=state_dict, meta=meta))
        model = unwrap(self.model)
        model.load_state_dict(leave_out_reshaped(model, state_dict), strict=False)
        self._has_loaded = True
        self.logger.info(f'Load checkpoint from {self._load_from}')


def _fits_the_console(record: logging.LogRecord) -> bool:
    start = record.getMessage().lstrip('\n -')
    return not start.startswith(LOG_FILE_ONLY)
