"""Initial weights from a checkpoint, or an error that says what to do."""

from typing import Any

import torch.nn as nn
from mmengine.logging import print_log
from mmengine.model import PretrainedInit as MMEnginePretrainedInit
from torch import Tensor

from mmdpt.checkpoints.layouts import dinov3
from mmdpt.checkpoints.reading.reader import read_checkpoint
from mmdpt.errors import InputError
from mmdpt.models.backbones.timm_backbone import OWN_WEIGHTS, TimmDPTBackbone
from mmdpt.registry import WEIGHT_INITIALIZERS

from .convert import to_ours
from .load import load_weights, read_weights

HEAD = 'decode_head'


@WEIGHT_INITIALIZERS.register_module(name='Pretrained')
class PretrainedInit(MMEnginePretrainedInit):
    """mmengine's ``Pretrained``, which executes nothing in the file and checks that it fits.

    A foreign file (timm's, DINOv2's, a released DPT, ...) gives its encoder. A
    ``TimmDPTBackbone`` loads what timm loads, and DINOv3's files.

    Args:
        checkpoint: Local path, https address, or a name that MMEngine knows, such as
            'torchvision://resnet50' or 'timm://convnext_base'.
        prefix: Load only the keys below this prefix, without it. A foreign file needs none for its
            encoder, and 'decode_head' for its head.
        map_location: An argument of mmengine's; a file is always read on the CPU.
    """

    def __call__(self, module: nn.Module) -> None:
        """Load the checkpoint into a module.

        Raises:
            InputError: If the file cannot be had or holds more than tensors, fills less than half
                of the module, or a tensor has another shape.
        """
        state_dict = self.read(module)
        mismatch = load_weights(module, state_dict, self.checkpoint, fit='part')
        name = type(module).__name__
        print_log(f'Initial weights of {name} from {self.checkpoint}: {mismatch}', 'current')

    def read(self, module: nn.Module) -> dict[str, Tensor]:
        """Read the file, under the module's own names.

        Raises:
            InputError: If the file cannot be had or holds more than tensors.
        """
        try:
            return self._read(module)
        except InputError as error:
            raise InputError(
                f'cannot read the initial weights {self.checkpoint} ({error}). '
                'Put the file anywhere and point at it with '
                '--cfg-options model.backbone.init_cfg.checkpoint=PATH, '
                'or train without it: --cfg-options model.backbone.init_cfg=None'
            ) from error

    def _read(self, module: nn.Module) -> dict[str, Tensor]:
        if isinstance(module, TimmDPTBackbone):
            if self.checkpoint == OWN_WEIGHTS:
                self.checkpoint += module.model_name
            state_dict = read_checkpoint(self.checkpoint).state_dict
            if any(layout.recognises(state_dict) for layout in dinov3.LAYOUTS):
                state_dict, _ = to_ours(state_dict)
            return module.own_names(state_dict)
        state_dict, _, report = read_weights(self.checkpoint)
        prefix = self.prefix if report is None or self.prefix == HEAD else 'backbone'
        if prefix is None:
            return state_dict
        prefix = prefix.rstrip('.') + '.'
        return {k.removeprefix(prefix): v for k, v in state_dict.items() if k.startswith(prefix)}


def with_encoder(model: Any, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Complete a head alone by its encoder's published weights, which the model's config names.

    Other state dicts of ours come back as they are.

    Raises:
        InputError: If the config names no weights, or they cannot be had.
    """
    if any(key.startswith('backbone.') for key in state_dict):
        return state_dict
    weights = model.backbone.init_cfg
    if weights is None:
        raise InputError('the file holds a head alone, and model.backbone.init_cfg no encoder')
    init, own = PretrainedInit(weights['checkpoint'], weights.get('prefix')), model.backbone
    encoder = {k: v for k, v in init.read(own).items() if k in own.state_dict()}
    return state_dict | {f'backbone.{k}': v for k, v in encoder.items()}
