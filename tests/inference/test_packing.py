"""Linear layers with their weight in the order of the CPU's products."""

import pytest
import torch

from mmdpt.inference.packing import PackedLinear, pack_weights


@pytest.mark.skipif(
    not torch.backends.cpu.get_cpu_capability().startswith('AVX512'), reason='needs AVX-512'
)
@pytest.mark.parametrize('approximate', ['none', 'tanh'])
@pytest.mark.parametrize(('dtype', 'rtol'), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
def test_packed_weights_give_the_same_numbers(approximate, dtype, rtol):
    """Subclasses, such as LoRA's, stay."""

    class Doubled(torch.nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    torch.manual_seed(0)
    ffn = torch.nn.Sequential(torch.nn.Linear(20, 40), torch.nn.GELU(approximate))
    model = torch.nn.Sequential(ffn, torch.nn.Linear(40, 3, bias=False), Doubled(3, 3)).to(dtype)
    x = torch.randn(2, 20, 7).transpose(1, 2)
    weight = ffn[0].weight.clone()
    with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16, dtype == torch.bfloat16):
        expected = model(x)
        pack_weights(model)
        actual = model(x)
    assert [type(part).__name__ for part in ffn] == ['PackedLinear', 'Identity']
    assert isinstance(model[1], PackedLinear) and type(model[2]) is Doubled
    torch.testing.assert_close(ffn[0].weight, weight, rtol=0, atol=0)
    assert actual.dtype == expected.dtype == dtype
    assert (actual - expected).abs().max() <= rtol * expected.abs().max()
