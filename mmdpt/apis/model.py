"""A model from a config, ready to predict."""

from collections.abc import Sequence
from typing import Any

import torch.nn as nn
from mmengine.registry import init_default_scope

from mmdpt.checkpoints import compare, read_checkpoint
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
        config: Path of a config, or the name of one of mmdpt, such as 'dpt_vit-l16_ade20k'.
        checkpoint: Path or address of its weights. None: random weights, nothing is downloaded.
        device: Where the model goes.
        cfg_options: Overrides, 'key=value'.

    Returns:
        The model, with ``dataset_meta`` (class names, palette) where the checkpoint has it.

    Raises:
        InputError: If the config is wrong or the checkpoint does not fill the model.
    """
    cfg = load_config(config, cfg_options)
    check_config(cfg)
    use_batch_norm_without_cuda(cfg)
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    model.cfg = cfg
    if checkpoint is not None:
        _fill(model, checkpoint)
    return model.to(device).eval()


def _fill(model: nn.Module, checkpoint: str) -> None:
    state_dict, meta = read_checkpoint(checkpoint)
    mismatch = compare(model, state_dict)
    if not mismatch.fills:
        raise InputError(f'checkpoint {checkpoint} does not fit the model: {mismatch}')
    model.load_state_dict(state_dict, strict=False)
    dataset_meta: Any = meta.get('dataset_meta')
    model.dataset_meta = dataset_meta
