"""LoRA: what it computes, what trains, and from which checkpoints it starts."""

from itertools import product

import pytest
import tiny
import torch
from mmengine.registry import init_default_scope

from mmdpt.checkpoints import compare
from mmdpt.models.backbones.lora import LoRALinear, has_updates, merge_updates
from mmdpt.models.backbones.vision_transformer_dpt import VisionTransformerDPT

IMAGE = (1, 3, 56, 70)


def build(seed=0, **kwargs):
    torch.manual_seed(seed)
    return VisionTransformerDPT(
        tiny.LAYERS, img_size=70, patch_size=14, out_indices=tiny.TAPS, norm_taps=True, **kwargs
    ).eval()


def randomise(model):
    return tiny.draw_weights(model, std=0.2)


def test_starts_as_the_plain_model_whose_checkpoint_it_loads(tmp_path):
    """By MMEngine's initial weights, too."""
    plain, adapted = randomise(build()), build(seed=1, lora=dict(rank=2))
    mismatch = compare(adapted, plain.state_dict())
    assert mismatch.fills_most and not mismatch.unexpected
    assert len(mismatch.missing) == 4 * 2 * 2
    assert all('.lora_' in key for key in mismatch.missing)
    adapted.load_state_dict(plain.state_dict(), strict=False)
    torch.save({f'backbone.{k}': v for k, v in plain.state_dict().items()}, tmp_path / 'vit.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'vit.pth'), prefix='backbone.')
    init_default_scope('mmdpt')
    initial = build(seed=1, lora=dict(rank=2), init_cfg=init_cfg)
    initial.init_weights()
    image = torch.randn(*IMAGE)
    for model in (adapted, initial):
        torch.testing.assert_close(model(image), plain(image))


def test_only_the_updates_of_the_attention_train():
    model = build(lora=dict(rank=2)).train()
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    parts = product(range(4), ('qkv', 'proj'), ('down', 'up'))
    assert trainable == {f'layers.{k}.attn.{layer}.lora_{side}' for k, layer, side in parts}
    randomise(model)
    sum(feature.square().sum() for feature, _ in model(torch.randn(*IMAGE))).backward()
    for name, parameter in model.named_parameters():
        moves = parameter.grad is not None and parameter.grad.abs().max() > 0
        assert bool(moves) is (name in trainable), name


def test_updates_by_hand_and_folded():
    """(W + 6 / 2 B A) x + b with x = (1, 2), A x = (1, 3), B A x = (3, -1)."""
    layer = LoRALinear(torch.nn.Linear(2, 2), rank=2, alpha=6)
    layer.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    layer.bias.data = torch.tensor([10.0, 20.0])
    layer.lora_down.data = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    layer.lora_up.data = torch.tensor([[0.0, 1.0], [2.0, -1.0]])
    assert layer(torch.tensor([1.0, 2.0])).tolist() == [1 + 10 + 3 * 3, 2 + 20 + 3 * -1]
    model = torch.nn.ModuleDict(dict(qkv=layer))
    merged = merge_updates(model, model.state_dict())  # B A = ((1, 1), (1, -1))
    assert merged.keys() == {'qkv.weight', 'qkv.bias'}
    assert merged['qkv.weight'].tolist() == [[4.0, 3.0], [3.0, -2.0]]
    assert layer.weight.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert build(lora=dict(rank=3)).layers[0].attn.qkv.scale == 1  # alpha is the rank by default
    assert build(lora=dict(rank=4, alpha=2)).layers[0].attn.qkv.scale == 0.5


def test_folded_into_a_plain_model_the_outputs_stay():
    adapted, plain = randomise(build(lora=dict(rank=2, alpha=3))), build(seed=1)
    weights = adapted.state_dict()
    merged = merge_updates(adapted, weights)
    assert has_updates(weights) and not has_updates(merged)
    again = merge_updates(adapted, merged)  # without updates they come back as they are
    assert again.keys() == merged.keys() and all(again[key] is merged[key] for key in merged)
    plain.load_state_dict(merged)
    torch.manual_seed(3)
    image = torch.randn(*IMAGE)
    with torch.no_grad():
        for (ours, _), (expected, _) in zip(plain(image), adapted(image), strict=True):
            assert (ours - expected).abs().max() <= 1e-6 * expected.abs().max()
        without = randomise(build())(image)[3][0]
    assert (without - expected).abs().max() > 1e-3 * expected.abs().max()


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='rank of LoRA must be positive, got 0'):
        build(lora=dict(rank=0))
    with pytest.raises(ValueError, match='leave out frozen_stages=2'):
        build(lora=dict(rank=2), frozen_stages=2)
