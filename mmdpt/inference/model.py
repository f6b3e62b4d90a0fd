"""Build a model from a config or the name of a released checkpoint."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch.nn as nn
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope

from mmdpt.checkpoints import load_weights, read_weights
from mmdpt.checkpoints.convert import task_of
from mmdpt.checkpoints.filling import ParametersUnset
from mmdpt.checkpoints.pretrained_init import with_encoder
from mmdpt.checkpoints.reading.mmengine_loader import reading_safely
from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.config import check_config, load_config
from mmdpt.config.config_files import own_configs
from mmdpt.config.machine import use_batch_norm_without_cuda
from mmdpt.config.names import nearest_names
from mmdpt.config.parts import metainfo_of
from mmdpt.errors import InputError
from mmdpt.registry import MODELS


def init_model(
    config: str,
    checkpoint: str | None = None,
    device: str = 'cpu',
    cfg_options: Sequence[str] = (),
) -> nn.Module:
    """Build the model of a config, in evaluation mode.

    Args:
        config: Path of a config, the name of one of mmdpt, such as 'dpt_vit-l16_ade20k', or of a
            released checkpoint, such as 'dpt-large-midas', see ``list_models``.
        checkpoint: Path or address of its weights, in mmdpt's layout or in one that it converts.
            A head alone gets the encoder of the config's ``model.backbone.init_cfg``. None: a
            release's own checkpoint, downloaded the first time; random weights for a config.
        device: Where the model goes.
        cfg_options: Overrides, 'key=value'.

    Returns:
        The model, with ``dataset_meta`` (class names, palette): the checkpoint's, or else that of
        the config's data set.

    Raises:
        InputError: If the config is wrong, or the checkpoint cannot be had or does not fill the
            model.
    """
    release = RELEASES.get(config)
    if checkpoint is None and release is not None:
        checkpoint = release.address
    if checkpoint is None:
        model = build_model(config, cfg_options)
    else:
        with ParametersUnset():
            model = build_model(config, cfg_options)
        _fill(model, checkpoint, tell_settings=release is None)
    return model.to(device).eval()


def build_model(config: str, cfg_options: Sequence[str] = ()) -> nn.Module:
    """Build the model of ``init_model`` with random weights, without reading any.

    It has its config as ``cfg``, and ``dataset_meta`` of the config's data set.

    Raises:
        InputError: If the config is wrong.
    """
    release = RELEASES.get(config)
    if release is not None:
        config, cfg_options = release.config, (*release.options, *cfg_options)
    else:
        _check_name(config)
    cfg = load_config(config, cfg_options)
    check_config(cfg)
    use_batch_norm_without_cuda(cfg)
    init_default_scope(cfg.default_scope)
    with reading_safely():
        model = MODELS.build(cfg.model)
    model.cfg = cfg
    model.dataset_meta = _dataset_meta(cfg, model.decode_head.num_classes)
    return model


def _check_name(config: str) -> None:
    """Raise InputError, with the nearest names, if a name that is no path stands for nothing."""
    path = Path(config)
    known = [*RELEASES, *own_configs()]
    if path.suffix or path.parent != Path('.') or path.is_file() or config in known:
        return
    close = nearest_names(config, known) or sorted(RELEASES)
    raise InputError(
        f'no released model, config of mmdpt or config file is named {config}; '
        f'the nearest names: {", ".join(close)}'
    )


def _dataset_meta(cfg: Config, num_classes: int) -> dict[str, Any] | None:
    """Give classes and palette of the test data; None if the model predicts others, or depth."""
    meta = metainfo_of((cfg.get('test_dataloader') or {}).get('dataset') or {})
    return copy.deepcopy(meta) if len(meta.get('classes') or ()) == num_classes else None


def _fill(model: nn.Module, checkpoint: str, tell_settings: bool) -> None:
    state_dict, meta, report = read_weights(checkpoint, task_of(model.state_dict()))
    if report is not None and report.task == 'backbone':
        raise InputError(f'{checkpoint} holds an encoder alone: give it as initial weights')
    state_dict = with_encoder(model, state_dict)
    load_weights(model, state_dict, checkpoint, fit='whole' if report is None else 'exactly')
    if report is not None and report.settings and tell_settings:
        print_log(f'{checkpoint}, for equal numbers: {report.settings}', 'current')
    if meta.get('dataset_meta') is not None:
        model.dataset_meta = meta['dataset_meta']
