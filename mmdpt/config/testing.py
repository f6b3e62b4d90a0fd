"""Prepare a config for testing a checkpoint."""

from mmengine.config import Config

from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.errors import InputError
from mmdpt.files.paths import check_file, is_address
from mmdpt.models.decode_heads.parametrisation import PARAMETRISATIONS

from .parts import replace_pipelines


def prepare_test(
    cfg: Config,
    checkpoint: str,
    show_dir: str | None = None,
    out_dir: str | None = None,
    tta: bool = False,
    calibrated: str | None = None,
) -> None:
    """Change a config in place to test a checkpoint.

    Args:
        cfg: The config.
        checkpoint: Path or address of the checkpoint, or the name of a release.
        show_dir: Folder for pictures of every image, None for none.
        out_dir: Folder for the predictions, label maps as PNG and depth as NPY, None for none.
        tta: Average the predictions over the config's ``tta_pipeline``; without one, of the
            image and its mirror image.
        calibrated: Checkpoint to write with depths scaled to the test's, see ``CalibrationHook``.

    Raises:
        InputError: If the checkpoint is missing, or the config lacks what ``tta`` needs.
    """
    if checkpoint not in RELEASES and not is_address(checkpoint):
        check_file(checkpoint, 'checkpoint')
    cfg.load_from = checkpoint
    hooks = []
    if show_dir is not None:
        hooks.append(dict(type='ComparisonHook', out_dir=show_dir))
    if out_dir is not None:
        hooks.append(dict(type='PredictionWriterHook', out_dir=out_dir))
    if calibrated is not None:
        hooks.append(dict(type='CalibrationHook', out_file=calibrated))
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), *hooks]
    if tta:
        _augment(cfg)


def prepare_inversion_fit(cfg: Config, checkpoint: str) -> None:
    """Change a config in place to compare relative disparity with its training data's depth.

    The images are prepared as those of a test are.

    Args:
        cfg: The config of a depth model.
        checkpoint: Path or address of a relative model, or the name of a release.

    Raises:
        InputError: If the checkpoint is missing, or the config's head predicts no depth.
    """
    prepare_test(cfg, checkpoint)
    if cfg.model.decode_head.type != 'DepthDPTHead':
        raise InputError(f'model.decode_head of config {cfg.filename} is no DepthDPTHead')
    none = dict.fromkeys(PARAMETRISATIONS)
    cfg.model.decode_head.update(output='relative', clamp=(None, None), **none)
    pipeline = cfg.test_dataloader.dataset.pipeline
    cfg.test_dataloader.dataset = dict(cfg.train_dataloader.dataset, pipeline=pipeline)
    cfg.test_evaluator = dict(type='InversionFit')


def _augment(cfg: Config) -> None:
    if 'tta_pipeline' in cfg and 'tta_model' in cfg:
        replace_pipelines(cfg.test_dataloader.dataset, cfg.tta_pipeline)
        cfg.model = dict(**cfg.tta_model, module=cfg.model)
    elif 'flip' in cfg.model.test_cfg:
        cfg.model.test_cfg.flip = True
    else:
        raise InputError(
            f'--tta needs tta_pipeline and tta_model, or model.test_cfg.flip, in config '
            f'{cfg.filename}'
        )
