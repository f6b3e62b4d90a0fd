"""Attention in float32 under bfloat16 autocast is nearer to the exact one, and has its gradient."""

import pytest
import torch
import torch.nn.functional as F

from mmdpt.models.backbones.vit_blocks import SHORT, attend


def inputs(tokens, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(1, 2, tokens, 8, generator=generator).to(dtype).requires_grad_()
        for _ in range(3)
    ]


def test_float32_is_untouched():
    exact = F.scaled_dot_product_attention(*inputs(5))
    torch.testing.assert_close(attend(*inputs(5)), exact, rtol=0, atol=0)


@pytest.mark.parametrize('tokens', [5, SHORT, SHORT + 1])
def test_bfloat16_under_autocast(tokens):
    query, key, value = inputs(tokens, torch.bfloat16)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        attended = attend(query, key, value)
    assert attended.dtype == torch.bfloat16
    exact = F.scaled_dot_product_attention(query.float(), key.float(), value.float())
    torch.testing.assert_close(attended.float(), exact, rtol=0.02, atol=0.02)
    if tokens <= SHORT:  # rounded once, at the end
        torch.testing.assert_close(attended, exact.to(torch.bfloat16), rtol=0, atol=0)
    gradients = torch.autograd.grad(attended.float().sum(), (query, key, value))
    expected = torch.autograd.grad(exact.sum(), (query, key, value))
    for got, want in zip(gradients, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=0.05, atol=0.02)
