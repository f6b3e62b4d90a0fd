"""From a config to a runner that is ready to train or test."""

import pickle
import time
import warnings
from pathlib import Path

from mmengine.config import Config

from mmdpt.config.check import check_config
from mmdpt.config.classes import check_classes
from mmdpt.config.machine import fit_config_to_machine, timeout_of
from mmdpt.errors import InputError
from mmdpt.files.paths import make_folder
from mmdpt.registry import RUNNERS

from .process_group import start_process_group_without_cuda
from .runner import Runner


def build_runner(cfg: Config, work_dir: str | None = None, launcher: str = 'none') -> Runner:
    """Check a config, fit it to the machine and build its runner.

    The runner is ``Runner``, or what ``runner_type`` of the config names.

    Args:
        cfg: The config; changed in place where the machine has no CUDA.
        work_dir: Folder for logs and checkpoints. The default is the config's ``work_dir``, else
            ``work_dirs/<config name>``.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        InputError: If the config names a component or an argument that does not exist, or the
            work dir cannot be written.
    """
    runner_type: type[Runner] | None = RUNNERS.get(name := cfg.get('runner_type', 'Runner'))
    if runner_type is None:
        raise InputError(f'runner_type: there is no runner {name!r}')
    cfg.launcher = launcher
    cfg.work_dir = work_dir or cfg.get('work_dir') or f'work_dirs/{Path(cfg.filename).stem}'
    check_config(cfg)
    check_classes(cfg)
    make_folder(cfg.work_dir)
    start_process_group_without_cuda(launcher, timeout_of(cfg))
    fit_config_to_machine(cfg)
    import_yapf()
    # mmseg's reminder; with class weights its loss is averaged over valid pixels either way
    warnings.filterwarnings('ignore', message='Default ``avg_non_ignore`` is False')
    # two classes are two logits here, as in every other data set
    warnings.filterwarnings('ignore', message='For binary segmentation, we suggest')
    # of 1 x 1 convolutions, whose memory is the same in either layout
    warnings.filterwarnings('ignore', message='Grad strides do not match bucket view strides')
    return runner_type.from_cfg(cfg)


def import_yapf(seconds: float = 10.0) -> None:
    """Import yapf, with which MMEngine formats the config, as soon as its grammar can be read.

    At the first import after an installation yapf writes the grammar into the user's cache. Of
    processes that start together, one may find a part of the file.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            import yapf  # noqa: F401

            return
        except (EOFError, pickle.UnpicklingError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
