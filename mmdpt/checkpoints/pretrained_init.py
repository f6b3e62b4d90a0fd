"""Initial weights from a checkpoint, or an error that says what to do."""

import torch.nn as nn
from mmengine.logging import print_log
from mmengine.model import PretrainedInit as MMEnginePretrainedInit

from mmdpt.errors import InputError
from mmdpt.registry import WEIGHT_INITIALIZERS

from .load import load_weights, read_weights


@WEIGHT_INITIALIZERS.register_module(name='Pretrained')
class PretrainedInit(MMEnginePretrainedInit):
    """mmengine's ``Pretrained``, which executes nothing in the file and checks that it fits.

    A foreign file (timm's, DINOv2's, a released DPT, ...) gives its encoder.

    Args:
        checkpoint: Local path, https address, or a name that MMEngine knows, such as
            'torchvision://resnet50'.
        prefix: Load only the keys below this prefix, without it. A foreign file needs none.
        map_location: An argument of mmengine's; a file is always read on the CPU.
    """

    def __call__(self, module: nn.Module) -> None:
        """Load the checkpoint into a module.

        Raises:
            InputError: If the file cannot be had or holds more than tensors, fills less than half
                of the module, or a tensor has another shape.
        """
        try:
            state_dict, _, report = read_weights(self.checkpoint)
        except InputError as error:
            raise InputError(
                f'cannot read the initial weights {self.checkpoint} ({error}). '
                'Put the file anywhere and point at it with '
                '--cfg-options model.backbone.init_cfg.checkpoint=PATH, '
                'or train without it: --cfg-options model.backbone.init_cfg=None'
            ) from error
        prefix = self.prefix if report is None else 'backbone'
        if prefix is not None:
            prefix = prefix.rstrip('.') + '.'
            state_dict = {
                k.removeprefix(prefix): v for k, v in state_dict.items() if k.startswith(prefix)
            }
        mismatch = load_weights(module, state_dict, self.checkpoint, fit='part')
        name = type(module).__name__
        print_log(f'Initial weights of {name} from {self.checkpoint}: {mismatch}', 'current')
