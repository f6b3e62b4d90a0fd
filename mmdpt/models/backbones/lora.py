"""Low-rank adaptation (LoRA, arXiv:2106.09685, section 4.1) of a Vision Transformer's attention.

mmpretrain's LoRAModel saves the updates alone and loads the rest while it is built: its checkpoint
needs the file that training started from, and ``load_from`` finds no backbone under its renamed
keys. Here the names stay, and a checkpoint holds the whole model.
"""

import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

ADAPTED = (
    *('attn.qkv', 'attn.proj', 'attn.q_proj', 'attn.k_proj', 'attn.v_proj'),
    *('attn.q', 'attn.kv'),
)
"""The layers of each block that are adapted, as in mmpretrain's example of LoRAModel.

Some networks of timm have query, key and value apart.
"""


class LoRALinear(nn.Linear):
    """Linear layer with a trainable update of low rank: ``(W + alpha / rank * B A) x + b``.

    Weight and bias keep their names, so that a checkpoint of the plain layer loads. B is zero at
    first: the layer starts as the plain one.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(linear.in_features, linear.out_features, linear.bias is not None)
        self.weight, self.bias = linear.weight, linear.bias
        self.scale = alpha / rank
        self.lora_down = nn.Parameter(torch.empty(rank, linear.in_features))
        self.lora_up = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        update = F.linear(F.linear(x, self.lora_down), self.lora_up)
        return super().forward(x) + self.scale * update


def merge_updates(model: nn.Module, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fold the updates into plain weights, ``W + alpha / rank * B A``, for code without LoRA.

    The model has the layers and their scales, which no file has. Its tensors are left unchanged;
    without updates they come back as they are.
    """
    merged = dict(state_dict)
    for name, layer in model.named_modules():
        if isinstance(layer, LoRALinear) and f'{name}.lora_down' in merged:
            down, up = merged.pop(f'{name}.lora_down'), merged.pop(f'{name}.lora_up')
            merged[f'{name}.weight'] = merged[f'{name}.weight'] + layer.scale * (up @ down)
    return merged


def has_updates(keys: Iterable[str]) -> bool:
    """Whether keys of a state dict are LoRA's."""
    return any(key.endswith(('.lora_down', '.lora_up')) for key in keys)


def adapt(backbone: nn.Module, rank: int, alpha: float | None = None) -> None:
    """Freeze a backbone but for low-rank updates of its attention's linear layers, in place.

    Names of these layers end as in ``ADAPTED``. Updates have the factor alpha / rank, by default 1.

    Raises:
        ValueError: If the rank is not positive, or the backbone has no such layer.
    """
    if rank < 1:
        raise ValueError(f'the rank of LoRA must be positive, got {rank}')
    layers = {
        name: layer
        for name, layer in backbone.named_modules()
        if name.endswith(ADAPTED) and isinstance(layer, nn.Linear)
    }
    if not layers:
        raise ValueError(f'LoRA adapts {", ".join(ADAPTED)}; the backbone has no such layer')
    backbone.requires_grad_(False)
    for name, layer in layers.items():
        parent, _, child = name.rpartition('.')
        adapted = LoRALinear(layer, rank, rank if alpha is None else alpha)
        setattr(backbone.get_submodule(parent), child, adapted)
