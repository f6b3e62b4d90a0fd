"""From a config to a runner that is ready to train or test."""

import warnings
from pathlib import Path

from mmengine.config import Config

from .config_check import check_config
from .devices import fit_config_to_machine
from .process_group import start_process_group_without_cuda
from .runner import Runner


def build_runner(cfg: Config, work_dir: str | None = None, launcher: str = 'none') -> Runner:
    """Check a config, fit it to the machine and build its runner.

    Args:
        cfg: The config; changed in place where the machine has no CUDA.
        work_dir: Folder for logs and checkpoints, before the config's own ``work_dir`` and
            ``work_dirs/<config name>``.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        InputError: If the config names a component or an argument that does not exist.
    """
    cfg.launcher = launcher
    cfg.work_dir = work_dir or cfg.get('work_dir') or f'work_dirs/{Path(cfg.filename).stem}'
    check_config(cfg)
    start_process_group_without_cuda(launcher)
    fit_config_to_machine(cfg)
    # mmseg's reminder; with class weights its loss is averaged over valid pixels either way
    warnings.filterwarnings('ignore', message='Default ``avg_non_ignore`` is False')
    # two classes are two logits here, as in every other data set
    warnings.filterwarnings('ignore', message='For binary segmentation, we suggest')
    return Runner.from_cfg(cfg)
