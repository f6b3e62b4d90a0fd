"""A model from a config or a released checkpoint's name, ready to predict."""

from collections.abc import Sequence
from typing import Any

import torch.nn as nn
from mmengine.logging import print_log
from mmengine.registry import init_default_scope

from mmdpt.apis.model_zoo import RELEASES
from mmdpt.checkpoints import compare, read_checkpoint, to_ours
from mmdpt.checkpoints.detect import is_foreign
from mmdpt.checkpoints.fit import check_fit
from mmdpt.engine import check_config, load_config
from mmdpt.engine.devices import use_batch_norm_without_cuda
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
        checkpoint: Path or address of its weights, of mmdpt's layout or of one that it converts.
            None: the released checkpoint, downloaded the first time; of a config, random weights.
        device: Where the model goes.
        cfg_options: Overrides, 'key=value'.

    Returns:
        The model, with ``dataset_meta`` (class names, palette) where the checkpoint has it.

    Raises:
        InputError: If the config is wrong, or the checkpoint cannot be had or does not fill the
            model.
    """
    release = RELEASES.get(config)
    if release is not None:
        config, cfg_options = release.config, (*release.options, *cfg_options)
        checkpoint = checkpoint or release.address
    cfg = load_config(config, cfg_options)
    check_config(cfg)
    use_batch_norm_without_cuda(cfg)
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    model.cfg = cfg
    if checkpoint is not None:
        _fill(model, checkpoint, tell_settings=release is None)
    return model.to(device).eval()


def _fill(model: nn.Module, checkpoint: str, tell_settings: bool) -> None:
    state_dict, meta = read_checkpoint(checkpoint)
    if is_foreign(state_dict):
        state_dict, report = to_ours(state_dict)
        if report.task == 'backbone':
            raise InputError(f'{checkpoint} holds an encoder alone: give it as initial weights')
        check_fit(model, state_dict, report.task)
        if tell_settings and report.settings:
            print_log(f'{checkpoint}, for equal numbers: {report.settings}', 'current')
    elif not (mismatch := compare(model, state_dict)).fills:
        raise InputError(f'checkpoint {checkpoint} does not fit the model: {mismatch}')
    model.load_state_dict(state_dict, strict=False)
    dataset_meta: Any = meta.get('dataset_meta')
    model.dataset_meta = dataset_meta
