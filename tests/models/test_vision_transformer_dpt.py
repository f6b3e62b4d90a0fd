"""The backbone, plain, with a stem or as DINOv2: taps, sizes, freezing, loading."""

import pytest
import tiny
import torch
import torch.nn.functional as F
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmdpt.errors import InputError
from mmdpt.models import DPTHead, EncoderDecoder, VisionTransformerDPT
from mmdpt.models.backbones import resnetv2

PLAIN = dict(arch={**tiny.LAYERS, 'num_layers': 6}, img_size=64, out_indices=(1, 2, 3, 5))
STEM = dict(type='ResNetV2', depths=(1, 1, 2), base_channels=32)
RESNET = dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8, num_stages=3)
RESNET.update(strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(0, 1, 2))
HYBRID = dict(stem=STEM, out_indices=(1, 3))
DINOV2 = dict(img_size=70, patch_size=14, out_indices=(0, 1, 2, 3), norm_taps=True)
DINOV2.update(interpolate_mode='bicubic-offset', num_register_tokens=4, layer_scale_init_value=1.0)


def create(**kwargs):
    torch.manual_seed(0)
    return VisionTransformerDPT(**{**PLAIN, **kwargs})


def build(**kwargs):
    model = create(**kwargs)
    for name, parameter in model.named_parameters():
        if not name.startswith('stem.norm') and '.norm' not in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


FOUR, TWO = r'4 increasing block numbers in 0\.\.5', r'2 increasing block numbers in 0\.\.5'
WRONG_TAPS = [(1, 2, 3), (0, 1, 2, 3, 4), (1, 2, 3, 6), (-1, 2, 3, 5), (1, 3, 2, 5), (1, 1, 2, 3)]
HALVE = r'three of strides p/4, p/2, p, got \['


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        *((dict(out_indices=taps), FOUR) for taps in WRONG_TAPS),
        *((dict(HYBRID, out_indices=t), TWO) for t in [(1, 2, 3), (0, 1, 2, 3), (3, 1), (1, 6)]),
        (dict(arch='enormous'), "got 'enormous'"),
        (dict(frozen_stages=7), r'-1\.\.6'),
        (dict(interpolate_mode='cubic'), "'bicubic-offset'.*got 'cubic'"),
        (dict(layer_cfgs=dict(ffn_type='gelu')), "'origin', 'swiglu_fused'.*got 'gelu'"),
        (dict(HYBRID, patch_size=14), "stem's stride 16, got 14"),
        (dict(HYBRID, stem={**RESNET, 'out_indices': (2,)}), HALVE),
        (dict(HYBRID, stem={**RESNET, 'strides': (2, 2, 1)}), HALVE),
        (dict(HYBRID, stem={**RESNET, 'out_indices': (1, 2)}), HALVE),
    ],
)
def test_settings_that_do_not_fit_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        create(**kwargs)


@torch.no_grad()
def test_first_two_taps_are_the_stems_maps_and_its_last_map_has_the_positions():
    model, image = build(**HYBRID).eval(), torch.randn(1, 3, 64, 48)
    found = [feature for feature, _ in model(image)[:2]]
    torch.testing.assert_close(found, list(model.stem(image)[:2]), rtol=0, atol=0)
    assert build(**HYBRID, img_size=(50, 96)).pos_embed.shape == (1, 1 + 4 * 6, 24)


def test_a_network_of_mmpretrain_is_a_stem():
    model = build(**{**HYBRID, 'stem': RESNET}).train()
    assert model.stem.training
    norms = [m for m in model.stem.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and all((norm.running_mean == 0).all() for norm in norms)
    taps = model(torch.randn(2, 3, 50, 96))
    shapes = [tuple(feature.shape[1:]) for feature, _ in taps]
    assert shapes == [(8, 16, 24), (16, 8, 12), (24, 4, 6), (24, 4, 6)]
    sum(feature.sum() for feature, _ in taps).backward()
    assert all(parameter.grad is not None for parameter in model.stem.parameters())


@pytest.mark.parametrize('kind', [{}, DINOV2], ids=['plain', 'registers'])
def test_without_class_token_there_is_no_readout(kind):
    """Registers then stand first, and the taps are still the patches."""
    patch = kind.get('patch_size', 16)
    model = build(**kind, with_cls_token=False).eval()
    for feature, readout in model(torch.randn(1, 3, 3 * patch, 5 * patch)):
        assert feature.shape == (1, 24, 3, 5) and readout is None


def test_registers_start_small_and_unequal_and_no_block_is_built_after_the_last_tap():
    model = create(**DINOV2)
    assert len(model.layers) == 4
    (registers,) = model.register_tokens.detach()
    assert 0 < registers.abs().max() < 1e-5
    assert len({tuple(register.tolist()) for register in registers}) == 4


def test_same_count_of_other_shape_is_interpolated_from_initial_weights():
    """4 x 4 patches are not 2 x 8: mmpretrain would load them as they are."""
    square, wide = build(), build(img_size=(32, 128))
    wide._loading_initial_weights = True
    wide.load_state_dict(square.state_dict())
    patches = square.pos_embed[:, 1:].reshape(1, 4, 4, 24).permute(0, 3, 1, 2)
    expected = F.interpolate(patches, (2, 8), mode='bilinear')
    torch.testing.assert_close(wide.pos_embed[:, 1:], expected.flatten(2).transpose(1, 2))
    again = create(img_size=(32, 128))  # from its own checkpoint
    again.load_state_dict(wide.state_dict())
    torch.testing.assert_close(again.pos_embed, wide.pos_embed, rtol=0, atol=0)


@pytest.mark.parametrize(
    ('kind', 'small', 'large'), [({}, 32, 64), (DINOV2, 70, 98)], ids=['bilinear', 'offset']
)
@torch.no_grad()
def test_position_grid_of_a_file_is_interpolated_as_the_model_does(kind, small, large):
    """A model that loads a smaller grid is the smaller model at its own size."""
    saved, loaded = (create(**{**kind, 'img_size': side}).eval() for side in (small, large))
    tiny.draw_weights(saved, std=0.2)
    loaded.load_state_dict(saved.state_dict())
    image = torch.randn(1, 3, large, large)
    torch.testing.assert_close(loaded(image), saved(image), rtol=1e-5, atol=1e-5)


def test_class_token_in_the_file_alone_is_dropped_and_a_grid_not_square_refused():
    with pytest.raises(InputError, match='10 patches'):
        build(img_size=64).load_state_dict(build(img_size=(32, 80)).state_dict())
    with_token, without = build(), build(with_cls_token=False)
    weights = with_token.state_dict()
    weights.pop('cls_token')
    without.load_state_dict(weights)
    torch.testing.assert_close(without.pos_embed, with_token.pos_embed[:, 1:])


@pytest.mark.parametrize('kind', [{}, HYBRID, DINOV2], ids=['plain', 'hybrid', 'dinov2'])
@pytest.mark.parametrize('stages', [-1, 0, 2, 'all'])
def test_frozen_stages_stay_fixed_in_training(kind, stages):
    """The embeddings from 0 on, stem and registers among them; all leave nothing to train."""
    last = kind.get('out_indices', (5,))[-1] + 1
    model = build(**kind, frozen_stages=last if stages == 'all' else stages, drop_path_rate=0.5)
    model.train()
    frozen = stages != -1
    for index, layer in enumerate(model.layers):
        fixed = stages == 'all' or index < stages
        assert layer.training is not fixed
        assert all(p.requires_grad is not fixed for p in layer.parameters())
    embedding = [model.pos_embed, model.cls_token, *model.patch_embed.parameters()]
    if model.stem is not None:
        embedding += model.stem.parameters()
        assert model.stem.training is not frozen
    if model.register_tokens is not None:
        embedding.append(model.register_tokens)
    assert all(p.requires_grad is not frozen for p in embedding)
    if stages == 'all':
        assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize('kind', [{}, HYBRID], ids=['plain', 'hybrid'])
def test_gradient_checkpointing_gives_the_same_gradients(kind, monkeypatch):
    calls = []
    recompute = resnetv2.checkpoint
    monkeypatch.setattr(
        resnetv2, 'checkpoint', lambda *args, **kw: calls.append(1) or recompute(*args, **kw)
    )
    image = torch.randn(2, 3, 48, 32)
    gradients = []
    for with_cp in (False, True):
        model = build(**kind, with_cp=with_cp).train()
        taps = model(image)
        loss = sum(feature.square().mean() for feature, _ in taps)
        (loss + sum(readout.mean() for _, readout in taps if readout is not None)).backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert len(calls) == (4 if kind else 0)  # the stem's blocks, once each
    torch.testing.assert_close(*gradients)


def test_stochastic_depth_drops_only_in_training():
    model, image = build(drop_path_rate=0.9), torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(model.eval()(image), model(image))
    model.train()
    assert not torch.equal(model(image)[3][0], model(image)[3][0])
    rates = [layer.ffn.dropout_layer.drop_prob for layer in model.layers]
    assert rates == pytest.approx([0, 0.18, 0.36, 0.54, 0.72, 0.9])


@pytest.mark.parametrize(
    ('kind', 'name', 'depth'),
    [
        (DINOV2, 'register_tokens', 0),
        (DINOV2, 'pos_embed', 0),
        (DINOV2, 'patch_embed.projection.weight', 0),
        (DINOV2, 'layers.0.attn.gamma1.weight', 1),
        (DINOV2, 'layers.3.ffn.gamma2.weight', 4),
        (DINOV2, 'ln1.weight', 5),
        (HYBRID, 'stem.conv.weight', 0),
        (HYBRID, 'stem.stages.2.1.norm3.bias', 0),
        (HYBRID, 'layers.0.ln1.weight', 1),
        (HYBRID, 'layers.3.ln1.weight', 4),
        (dict(DINOV2, lora=dict(rank=2)), 'layers.2.attn.qkv.lora_up', 3),
    ],
)
def test_layer_depth(kind, name, depth):
    model = build(**kind)
    assert name in dict(model.named_parameters())
    assert model.get_layer_depth(f'backbone.{name}', 'backbone.') == (depth, 6)
    assert model.get_layer_depth('decode_head.conv_seg.weight', 'backbone.') == (5, 6)


def test_layer_decay_through_mmpretrain_constructor():
    init_default_scope('mmdpt')
    head = dict(type='DPTHead', num_classes=3, **tiny.HEAD)
    model = EncoderDecoder(dict(type='VisionTransformerDPT', **PLAIN), head)
    settings = dict(
        optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.05),
        constructor='mmpretrain.LearningRateDecayOptimWrapperConstructor',
        paramwise_cfg=dict(layer_decay_rate=0.5),
    )
    wrapper = build_optim_wrapper(model, dict(type='OptimWrapper', **settings))
    rates = {group['param_name']: group['lr'] for group in wrapper.optimizer.param_groups}
    assert rates['decode_head.conv_seg.weight'] == 1
    assert rates['backbone.layers.5.ln1.weight'] == 0.5
    assert rates['backbone.layers.0.ln1.weight'] == 0.5**6
    assert rates['backbone.pos_embed'] == 0.5**7


@pytest.mark.parametrize('readout_type', ['ignore', 'add', 'project'])
@pytest.mark.parametrize(
    'kind',
    [
        {},
        dict(norm_taps=True, out_indices=(0, 1, 2, 4)),
        DINOV2,
        dict(DINOV2, num_register_tokens=0, layer_cfgs=dict(ffn_type='swiglu_fused')),
    ],
)
def test_every_parameter_gets_a_gradient(readout_type, kind):
    """So that DDP runs with find_unused_parameters=False."""
    backbone = tiny.draw_weights(create(**kind), std=0.2).train()
    head = DPTHead(3, readout_type=readout_type, norm_cfg=dict(type='BN'), **tiny.HEAD)
    head(backbone(torch.randn(2, 3, 84, 56))).square().sum().backward()
    for module in (backbone, head):
        assert [n for n, p in module.named_parameters() if p.grad is None or not p.grad.any()] == []
