"""Take a model out of what wraps it."""

from typing import Any

import torch.nn as nn
from mmengine.model import is_model_wrapper


def unwrap(model: Any) -> nn.Module:
    """Take the model out of a parallel one and out of that of test-time augmentation."""
    model = model.module if is_model_wrapper(model) else model
    return getattr(model, 'module', model)
