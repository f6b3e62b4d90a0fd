"""A model out of a checkpoint's tensors: no random values before them, no second copy of them.

The meta device would lose the values of buffers that no checkpoint has, such as the mean of the
pixels, and some of mmpretrain's networks (ResNet, Swin) are not built there. Parameters whose
memory nobody has written cost as little: the system gives pages when they are first written.
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
"""What the constructors of layers fill parameters with; nn.init's others call the first two."""


class ParametersUnset(TorchFunctionMode):
    """Within it, and in this thread alone, no parameter gets random values: it has any.

    For a model that a checkpoint fills; ``compare`` tells whether it fills every parameter.
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
    """Make a checkpoint's tensors those of a model, equal to ``load_state_dict(strict=False)``.

    A tensor that has its memory for itself, and type and layout as in the model, becomes the
    parameter's own. The others are copied; ``load_state_dict`` does it where a module has more to
    do, such as resizing a position embedding. Parameters stay the objects that they are.

    Args:
        model: The model.
        state_dict: By the model's names; emptied, so that no tensor lives longer than it must.

    Raises:
        RuntimeError: If a tensor has another shape.
    """
    taken: set[int] = set()
    for prefix, module in model.named_modules():
        if not _loads_plainly(module):
            continue
        for name, own in (*module._parameters.items(), *_saved_buffers(module)):
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


def _loads_plainly(module: nn.Module) -> bool:
    overridden = type(module)._load_from_state_dict is not nn.Module._load_from_state_dict
    return not overridden and not module._load_state_dict_pre_hooks


def _saved_buffers(module: nn.Module) -> list[tuple[str, Tensor | None]]:
    return [
        (name, buffer)
        for name, buffer in module._buffers.items()
        if name not in module._non_persistent_buffers_set
    ]


def _is_laid_out_as(value: Tensor, own: Tensor) -> bool:
    """Whether a tensor can stand in for another, and fills its memory."""
    return (
        value.dtype == own.dtype
        and value.device == own.device
        and value.stride() == own.stride()
        and not value.is_neg()
        and value.untyped_storage().nbytes() == value.nbytes
    )
