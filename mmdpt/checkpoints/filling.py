"""Build a model without random values, and fill it without a second copy of the weights.

The meta device would lose buffers that no checkpoint has, such as the mean of the pixels, and some
of mmpretrain's networks (ResNet, Swin) cannot be built there. Parameters that nobody has written
cost as little: the system gives memory pages when they are first written.
"""

from typing import Any

import torch.nn as nn
from torch import Tensor
from torch.overrides import TorchFunctionMode

RANDOM_VALUES = (
    Tensor.normal_,
    Tensor.uniform_,
    nn.init.kaiming_uniform_,
    nn.init.normal_,
    nn.init.uniform_,
)
"""What layers' constructors fill parameters with. Other functions of nn.init call the first two."""


class ParametersUnset(TorchFunctionMode):
    """Within this block, in this thread, parameters keep arbitrary values instead of random ones.

    The model is then filled from a checkpoint; ``compare`` tells whether that fills all of it.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function, unless it draws the values of a parameter."""
        kwargs = kwargs or {}
        if func in RANDOM_VALUES:
            tensor = args[0] if args else kwargs['tensor']
            if isinstance(tensor, nn.Parameter):
                return tensor
        return func(*args, **kwargs)


def fill(model: nn.Module, state_dict: dict[str, Tensor]) -> None:
    """Give a model a checkpoint's tensors, with the result of ``load_state_dict(strict=False)``.

    A tensor becomes the parameter's own if it shares its memory with no other and has the model's
    type and layout. Others are copied. ``load_state_dict`` does the copying where a module has more
    to do, such as resizing a position embedding. Parameters stay the objects that they are. The
    state dict is emptied, to free each tensor early.

    Raises:
        RuntimeError: If a tensor has another shape.
    """
    taken: set[int] = set()
    for prefix, module in model.named_modules():
        overridden = type(module)._load_from_state_dict is not nn.Module._load_from_state_dict
        if overridden or module._load_state_dict_pre_hooks:
            continue
        for name, own in (*module._parameters.items(), *module._buffers.items()):
            if name in module._non_persistent_buffers_set:
                continue
            key = f'{prefix}.{name}' if prefix else name
            value = state_dict.get(key)
            if own is None or value is None or value.shape != own.shape:
                continue
            del state_dict[key]
            memory = value.untyped_storage()
            if _is_laid_out_as(value, own) and memory.data_ptr() not in taken:
                taken.add(memory.data_ptr())
                own.data = value.detach()
            else:
                own.detach().copy_(value)
            del value, memory  # before the next tensor is copied
    model.load_state_dict(state_dict, strict=False)
    state_dict.clear()


def _is_laid_out_as(value: Tensor, own: Tensor) -> bool:
    """Whether a tensor can take the place of another, and needs all of its own memory."""
    return (
        value.dtype == own.dtype
        and value.device == own.device
        and value.stride() == own.stride()
        and not value.is_neg()
        and value.untyped_storage().nbytes() == value.nbytes
    )
