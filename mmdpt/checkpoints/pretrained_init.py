"""Initial weights from a checkpoint, or an error that says what to do."""

import torch.nn as nn
from mmengine.logging import print_log
from mmengine.model import PretrainedInit as MMEnginePretrainedInit
from torch import Tensor

from mmdpt.checkpoints import compare, read_checkpoint, to_ours
from mmdpt.errors import InputError
from mmdpt.registry import WEIGHT_INITIALIZERS

from .detect import is_foreign


@WEIGHT_INITIALIZERS.register_module(name='Pretrained')
class PretrainedInit(MMEnginePretrainedInit):
    """mmengine's ``Pretrained``, which executes nothing in the file and checks that it fits.

    The encoder of a foreign file (timm's, DINOv2's, a released DPT, ...) is loaded, too.

    Args:
        checkpoint: Local path or https address.
        prefix: Load only the keys below this prefix, without it; of a foreign file, the encoder.
        map_location: mmengine's; a file is always read on the CPU.
    """

    def __call__(self, module: nn.Module) -> None:
        """Load the checkpoint into a module.

        Raises:
            InputError: If the file cannot be had or holds more than tensors, fills less than half
                of the module, or a tensor has another shape.
        """
        state_dict = self._read()
        mismatch = compare(module, state_dict)
        name = type(module).__name__
        if mismatch.reshaped or not mismatch.fills_most:
            raise InputError(f'{self.checkpoint} does not fit {name}: {mismatch}')
        module.load_state_dict(state_dict, strict=False)
        print_log(f'Initial weights of {name} from {self.checkpoint}: {mismatch}', 'current')

    def _read(self) -> dict[str, Tensor]:
        try:
            state_dict = read_checkpoint(self.checkpoint).state_dict
        except InputError as error:
            raise InputError(
                f'cannot read the initial weights {self.checkpoint} ({error}). '
                'Put the file anywhere and point at it with '
                '--cfg-options model.backbone.init_cfg.checkpoint=PATH, '
                'or train without it: --cfg-options model.backbone.init_cfg=None'
            ) from error
        prefix = self.prefix
        if is_foreign(state_dict):
            state_dict, _ = to_ours(state_dict)
            prefix = 'backbone.'
        if prefix is None:
            return state_dict
        prefix = prefix.rstrip('.') + '.'
        return {k.removeprefix(prefix): v for k, v in state_dict.items() if k.startswith(prefix)}
