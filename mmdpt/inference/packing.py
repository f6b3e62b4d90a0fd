"""Linear layers whose weights lie in memory as the products of the CPU take them."""

from itertools import pairwise

import torch
import torch.nn as nn
from mmcv.cnn import Linear
from torch import Tensor

PLAIN = (nn.Linear, Linear)
"""Subclasses compute something else, such as an update of low rank."""


class PackedLinear(nn.Module):
    """Compute a linear layer, and the GELU after it, by oneDNN with a weight reordered once.

    ``F.linear`` reorders it at every call. The weight is no parameter: it cannot train, move or be
    saved. ``weight`` gives it in the order of ``nn.Linear``, as a copy.
    """

    def __init__(self, linear: nn.Linear, gelu: nn.GELU | None = None) -> None:
        super().__init__()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self.bias = linear.bias
        self.dtype = linear.weight.dtype
        self.activation: tuple = ('none', [], '')
        if gelu is not None:
            self.activation = ('gelu', [], gelu.approximate)

    @property
    def weight(self) -> Tensor:
        return self.packed.to_dense()

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C_in) to (..., C_out)."""
        return torch.ops.mkldnn._linear_pointwise(
            x.to(self.dtype), self.packed, self.bias, *self.activation
        )


def pack_weights(model: nn.Module) -> None:
    """Replace, for inference on this CPU, the linear layers of a model by packed ones, in place.

    Those in float32 and bfloat16, on processors with AVX-512, where the gain is measured. The
    operators are those of torch's own compiler, and private: a torch without them packs nothing.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    if not (capability.startswith('AVX512') and hasattr(torch.ops.mkldnn, '_linear_pointwise')):
        return
    for parent in [*model.modules()]:
        in_order = isinstance(parent, nn.Sequential)
        children = [*parent.named_children(), ('', nn.Identity())]
        for (name, child), (next_name, following) in pairwise(children):
            if not isinstance(child, nn.Linear) or type(child) not in PLAIN:
                continue
            if child.weight.dtype not in (torch.float32, torch.bfloat16):
                continue
            gelu = following if in_order and isinstance(following, nn.GELU) else None
            setattr(parent, name, PackedLinear(child, gelu))
            if gelu is not None:
                setattr(parent, next_name, nn.Identity())
