"""The device that a model runs on, and its precision."""

from typing import Literal

import torch
import torch.nn as nn
import torch.nn.functional as F

from mmdpt.errors import InputError, check_choice
from mmdpt.models.backbones.resnetv2 import StdConv2d

Precision = Literal['fp32', 'bf16', 'fp16']
DTYPES: dict[str, torch.dtype | None] = {
    'fp32': None,
    'bf16': torch.bfloat16,
    'fp16': torch.float16,
}


def usable_device(name: str | None) -> torch.device:
    """Give the device with a name, such as 'cuda:1'; None: CUDA if there is one, else the CPU.

    Raises:
        InputError: If the name is unknown, or there is no such device.
    """
    if name is None:
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (AssertionError, NotImplementedError, RuntimeError) as error:  # torch has all three
        reason = str(error).splitlines()[0]
        raise InputError(f'cannot use device {name!r}: {reason}') from error
    return device


def usable_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Give the number type for autocast; None: no autocast.

    Raises:
        InputError: If the device does not compute in it.
        ValueError: If the precision is unknown.
    """
    dtype = DTYPES[check_choice('precision', precision, DTYPES)]
    if dtype is None:
        return None
    one = torch.ones(1, 1, 1, 1, device=device)
    try:
        with torch.inference_mode(), torch.autocast(device.type, dtype):
            F.conv2d(one, one)
    except RuntimeError as error:
        raise InputError(f'device {device} does not compute in {precision}: {error}') from error
    return dtype


def store_weights_in(dtype: torch.dtype, model: nn.Module) -> None:
    """Convert the weights, in place, that autocast would convert to ``dtype`` at every call.

    These are the weights of linear layers and convolutions. Weight-standardised convolutions stay
    in float32, in which their mean and deviation are computed.
    """
    for module in model.modules():
        converted = isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))
        if converted and not isinstance(module, StdConv2d):
            module.to(dtype)
