"""A filled model is the one that load_state_dict gives, without random values or copies before."""

import threading

import pytest
import tiny
import torch
import torch.nn as nn
from tiny_dpt import build

from mmdpt.checkpoints.filling import ParametersUnset, fill
from mmdpt.models import VisionTransformerDPT
from mmdpt.registry import MODELS

SWIN = dict(
    type='mmpretrain.SwinTransformer',
    arch=dict(embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2]),
    img_size=64,
)
RESNET = dict(type='mmpretrain.ResNet', depth=50, base_channels=4, stem_channels=4, num_stages=3)
RESNET |= dict(strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(0, 1, 2))
KINDS = {
    'vit': ('depth', {}),
    'segmentation': ('segmentation', {}),
    'hybrid': ('segmentation', dict(hybrid=True)),
    'lora': ('depth', dict(backbone=dict(lora=dict(rank=2)))),
    'frozen': ('depth', dict(backbone=dict(frozen_stages=2))),
}


def assert_same(model: nn.Module, expected: nn.Module):
    """And that no two tensors have one memory."""
    tiny.assert_same(model, expected)
    tensors = [value for value in (*model.parameters(), *model.buffers()) if value.numel()]
    assert len({value.untyped_storage().data_ptr() for value in tensors}) == len(tensors)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('size', [96, 64])
def test_models_are_those_that_load_state_dict_gives(kind, size):
    """At size 64 the position embedding of the file is resized."""
    task, settings = KINDS[kind]
    state_dict = build(task, **settings).state_dict()
    expected = build(task, img_size=size, **settings)
    expected.load_state_dict(state_dict)
    with ParametersUnset():
        model = build(task, img_size=size, **settings)
    fill(
        tiny.draw_weights(model, seed=5), {key: value.clone() for key, value in state_dict.items()}
    )
    assert_same(model, expected)


@pytest.mark.parametrize('network', [SWIN, RESNET], ids=['Swin', 'ResNet'])
def test_networks_that_the_meta_device_refuses_are_built_unset(network):
    torch.manual_seed(3)
    expected = MODELS.build(dict(network))
    before = torch.get_rng_state()
    with ParametersUnset():
        model = MODELS.build(dict(network))
    assert torch.equal(torch.get_rng_state(), before)
    fill(model, {key: value.clone() for key, value in expected.state_dict().items()})
    assert_same(model, expected)


def test_stem_of_mmpretrain_is_measured_while_it_is_unset():
    """Channels and strides of a stem's maps come from running it."""
    arch = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
    with ParametersUnset():
        model = VisionTransformerDPT(arch, 64, out_indices=(0, 1), stem=RESNET)
    assert model.patch_embed.projection.in_channels == 64


@pytest.mark.parametrize('init', [nn.init.uniform_, nn.init.kaiming_uniform_, nn.init.normal_])
def test_random_values_are_left_out_of_parameters_alone(init):
    parameter, tensor = nn.Parameter(torch.ones(2, 2)), torch.ones(2, 2)
    with ParametersUnset():
        assert init(parameter) is parameter and init(tensor) is tensor
        assert nn.init.xavier_uniform_(parameter) is parameter
        assert nn.init.constant_(nn.Parameter(torch.zeros(1)), 3.0).item() == 3
    assert torch.equal(parameter, torch.ones(2, 2))
    assert not torch.equal(tensor, torch.ones(2, 2))


def test_values_that_are_not_random_are_set():
    with ParametersUnset():
        norm = nn.BatchNorm2d(3)
    assert norm.weight.tolist() == [1, 1, 1] and norm.bias.tolist() == [0, 0, 0]
    assert norm.running_var.tolist() == [1, 1, 1] and norm.num_batches_tracked == 0


def test_other_threads_draw_their_values():
    drawn = []

    def build():
        drawn.append(nn.Linear(8, 8).weight.std().item())

    with ParametersUnset():
        thread = threading.Thread(target=build)
        thread.start()
        thread.join()
    assert drawn[0] > 0.1  # of a uniform distribution in -1/sqrt(8)..1/sqrt(8): 0.204


def test_a_tensor_with_its_own_memory_becomes_the_parameters_and_trains():
    model, weight = nn.Linear(2, 2, bias=False), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    parameter = model.weight
    state_dict = dict(weight=weight)
    fill(model, state_dict)
    assert model.weight is parameter and parameter.data_ptr() == weight.data_ptr()
    assert parameter.tolist() == [[1, 2], [3, 4]] and parameter.requires_grad
    assert not state_dict
    model(torch.tensor([[3.0, 4.0]])).sum().backward()
    torch.optim.SGD(model.parameters(), lr=1).step()
    assert model.weight.tolist() == [[-2, -2], [0, 0]]


COPIED = {
    'another type': torch.tensor([[1, 2], [3, 4]], dtype=torch.float64),
    'half': torch.tensor([[1, 2], [3, 4]], dtype=torch.float16),
    'transposed': torch.tensor([[1.0, 3.0], [2.0, 4.0]]).T,
    'a part of more': torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])[:2],
    'a negative view': torch.complex(torch.zeros(2, 2), -torch.tensor([[1.0, 2], [3, 4]]))
    .conj()
    .imag,
}


@pytest.mark.parametrize('kind', COPIED)
def test_a_tensor_that_is_laid_out_otherwise_is_copied(kind):
    model = nn.Linear(2, 2, bias=False)
    fill(model, dict(weight=COPIED[kind]))
    assert model.weight.tolist() == [[1, 2], [3, 4]]
    assert model.weight.dtype == torch.float32 and model.weight.is_contiguous()
    assert model.weight.untyped_storage().nbytes() == 4 * 4 and not model.weight.is_neg()
    assert model.weight.data_ptr() != COPIED[kind].data_ptr()


def two_layers():
    return nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))


def test_one_tensor_of_two_parameters_and_one_number_of_all_take_memory_for_each():
    model, shared = two_layers(), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    fill(model, {'0.weight': shared, '1.weight': shared})
    model[0].weight.data.zero_()
    assert model[1].weight.tolist() == [[1, 2], [3, 4]]
    model = nn.Linear(2, 2, bias=False)
    fill(model, dict(weight=torch.ones(1).expand(2, 2)))
    model.weight.data[0, 0] = 5
    assert model.weight.tolist() == [[5, 1], [1, 1]]


def test_parameters_that_are_one_stay_one():
    model = two_layers()
    model[1].weight = model[0].weight
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    fill(model, {'0.weight': torch.zeros(2, 2), '1.weight': values})
    assert model[0].weight is model[1].weight
    assert model[0].weight.tolist() == [[1, 2], [3, 4]]


def test_a_parameter_of_a_file_does_not_decide_what_trains():
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    values = dict(weight=nn.Parameter(torch.ones(2, 2), requires_grad=False))
    fill(model, values | dict(bias=nn.Parameter(torch.ones(2))))
    assert model.weight.requires_grad and not model.bias.requires_grad
    assert model.weight.is_leaf and model.bias.tolist() == [1, 1]


def test_what_the_file_or_the_model_alone_has_is_left():
    model = nn.BatchNorm1d(2)
    fill(model, dict(weight=torch.tensor([2.0, 3.0]), other=torch.ones(1)))
    assert model.weight.tolist() == [2, 3]
    assert model.bias.tolist() == [0, 0] and model.num_batches_tracked == 0
    model = nn.Module()
    model.register_buffer('mean', torch.tensor([1.0]), persistent=False)
    fill(model, dict(mean=torch.tensor([9.0])))
    assert model.mean.tolist() == [1]


def test_another_shape_is_refused():
    with pytest.raises(RuntimeError, match='size mismatch for weight'):
        fill(nn.Linear(2, 2), dict(weight=torch.ones(3, 2)))
