"""Take a model out of what wraps it."""

from typing import Any

import torch.nn as nn
from mmengine.model import is_model_wrapper

from mmdpt.models.decode_heads.depth_dpt_head import DepthDPTHead


def unwrap(model: Any) -> nn.Module:
    """Take the model out of a parallel one and out of that of test-time augmentation."""
    model = model.module if is_model_wrapper(model) else model
    return getattr(model, 'module', model)


def depth_head_of(model: Any) -> DepthDPTHead:
    """Give the head of a model that predicts depth.

    Raises:
        ValueError: If it has none.
    """
    bare = unwrap(model)
    for name in ('depth_head', 'decode_head'):
        if isinstance(head := getattr(bare, name, None), DepthDPTHead):
            return head
    raise ValueError(f'{type(bare).__name__} has no DepthDPTHead')
