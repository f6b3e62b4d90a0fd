"""Devices and precisions that are not there are refused before a model is loaded."""

import pytest
import torch
import torch.nn.functional as F

from mmdpt.errors import InputError
from mmdpt.inference.devices import store_weights_in, usable_device, usable_dtype
from mmdpt.models import ResNetV2

CPU = torch.device('cpu')


@pytest.mark.parametrize(('cuda', 'expected'), [(True, 'cuda'), (False, 'cpu')])
def test_cuda_is_taken_if_there_is_one_and_a_name_as_it_is(monkeypatch, cuda, expected):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    assert usable_device(None) == torch.device(expected)
    assert usable_device('cpu') == CPU


@pytest.mark.parametrize('name', ['gpu', 'cuda:99', 'meta'])
def test_a_device_that_is_not_there_is_refused_by_name(name):
    with pytest.raises(InputError, match=f"cannot use device '{name}': "):
        usable_device(name)


def test_precisions():
    assert usable_dtype('fp32', CPU) is None
    assert usable_dtype('bf16', CPU) == torch.bfloat16
    assert usable_dtype('fp16', CPU) == torch.float16
    with pytest.raises(ValueError, match=r"\['fp32', 'bf16', 'fp16'\], got 'int8'"):
        usable_dtype('int8', CPU)


def test_a_precision_that_the_device_lacks_is_refused(monkeypatch):
    """As by releases of torch whose CPU kernels have no half."""

    def lacking(*args):
        raise RuntimeError('"slow_conv2d_cpu" not implemented for \'Half\'')

    monkeypatch.setattr(F, 'conv2d', lacking)
    with pytest.raises(InputError, match=r'device cpu does not compute in fp16: .*Half'):
        usable_dtype('fp16', CPU)
    assert usable_dtype('fp32', CPU) is None


def test_weights_stored_in_half_give_what_autocast_gives():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(2), torch.nn.Linear(36, 5), torch.nn.LayerNorm(5)
    )
    images = torch.randn(2, 3, 8, 8)
    with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16):
        converted_each_time = model(images)
        store_weights_in(torch.bfloat16, model)
        torch.testing.assert_close(model(images), converted_each_time, rtol=0, atol=0)
    assert model[0].weight.dtype == model[2].bias.dtype == torch.bfloat16
    assert model[3].weight.dtype == torch.float32


def test_standardised_weights_stay_in_single():
    model = ResNetV2(depths=(1, 1, 1), base_channels=32)
    store_weights_in(torch.bfloat16, model)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
