"""Encoders of timm and mmpretrain under the heads: any size, both tasks, all of it trains."""

import sys

import pytest
import tiny
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmdpt.config import check_config, load_config
from mmdpt.errors import InputError
from mmdpt.models import TimmDPTBackbone
from mmdpt.models.backbones.lora import has_updates
from mmdpt.registry import MODELS

SWIN = 'swin of mmpretrain'
KINDS = [*sorted(tiny.TIMM), SWIN]
WITH_ATTENTION = sorted(set(tiny.TIMM) - {'convnext'})
SIZE = (50, 70)
DEPTH_HEAD = dict(type='DepthDPTHead', output='depth', max_depth=10.0, channels=8)


SWIN_ARCH = dict(embed_dims=8, depths=[2, 1, 1, 1], num_heads=[1, 2, 2, 4])
SWIN_WIDTHS = dict.fromkeys(('embed_dims', 'reassemble_channels'), (8, 16, 32, 64))
SWIN_HEAD = dict(reassemble_scales=(1, 1, 1, 1), readout_type='ignore', patch_size=4, **SWIN_WIDTHS)


def build(kind, seed=0, **settings):
    name, args = tiny.TIMM[kind]
    torch.manual_seed(seed)
    return TimmDPTBackbone(name, model_args=args, **settings)


def build_joint(kind, **preprocessor):
    """Both heads on one encoder; of timm's the config names no width, scale, readout or mean."""
    config = 'dpt_swin-t_ade20k' if kind == SWIN else 'dpt_dinov3-s16_ade20k'
    cfg = load_config(config, ['model.backbone.init_cfg=None'])
    loss = dict(type='SiLogLoss')
    cfg.model.update(type='JointEstimator', depth_head=dict(DEPTH_HEAD, loss_decode=loss))
    if kind == SWIN:
        cfg.model.backbone.update(arch=SWIN_ARCH, drop_path_rate=0.0)
        for head in (cfg.model.decode_head, cfg.model.depth_head):
            head.update(SWIN_HEAD)
    else:
        name, args = tiny.TIMM[kind]
        cfg.model.backbone.update(model_name=name, model_args=args, norm_taps='dinov3' in kind)
    cfg.model.decode_head.update(channels=8, num_classes=5, norm_cfg=dict(type='BN'))
    cfg.model.data_preprocessor.update(type='DepthDataPreProcessor', size=SIZE, **preprocessor)
    check_config(cfg)
    init_default_scope(cfg.default_scope)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model, cfg


@pytest.mark.parametrize('kind', KINDS)
def test_a_step_of_both_tasks_moves_every_parameter(kind):
    """So no process of a DDP training waits for a gradient that never comes."""
    model, cfg = build_joint(kind)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1 and 'norm' not in name:  # layer scales are too small to see a step
            torch.nn.init.uniform_(parameter, 0.5, 1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    torch.manual_seed(0)
    targets = [(torch.randint(5, (1, *SIZE)), 1 + 9 * torch.rand(1, *SIZE)) for _ in range(2)]
    samples = [tiny.sample(*each) for each in targets]
    data = dict(inputs=list(torch.randint(256, (2, 3, *SIZE)).float()), data_samples=samples)
    model.train().train_step(data, build_optim_wrapper(model, cfg.optim_wrapper))
    assert [n for n, p in model.named_parameters() if torch.equal(p, before[n])] == []


@pytest.mark.parametrize('kind', KINDS)
@torch.no_grad()
def test_predictions_cover_the_padded_image(kind):
    """50 x 70 px are cut out of what the encoder's patches or greatest stride make of it."""
    model, _ = build_joint(kind)
    tiny.randomise(model).eval()
    multiples = {'eva02': 14, 'convnext': 32, 'swinv2': 32, 'hiera': 32, SWIN: 4}
    multiple = multiples.get(kind, 16)
    assert kind == SWIN or model.backbone.pad_to_patch.multiple == multiple
    padding = [-side % multiple for side in SIZE]
    image = torch.randn(1, 3, *SIZE)
    padded = torch.nn.functional.pad(image, (0, padding[1], 0, padding[0]))
    out, expected = (
        model.encode_decode(x, [dict(img_shape=tuple(x.shape[2:]))]) for x in (image, padded)
    )
    assert out.shape == (1, 6, *SIZE) and out.std(dim=(2, 3)).min() > 0
    torch.testing.assert_close(out, expected[..., :50, :70])


@pytest.mark.parametrize('size', [(64, 96), (50, 70), (33, 121)])
def test_each_map_of_a_pyramid_is_half_of_the_finer_one(size):
    model, _ = build_joint(SWIN)
    maps = model.eval().backbone(torch.randn(1, 3, *size))
    sizes = [tuple(-(-side // stride) for side in size) for stride in (4, 8, 16, 32)]
    assert [tuple(m.shape[2:]) for m in maps] == sizes
    fused, penultimate = model.decode_head.fusion(model.decode_head.reassemble(maps))
    assert tuple(penultimate.shape[2:]) == sizes[0]
    assert tuple(fused.shape[2:]) == tuple(2 * side for side in sizes[0])


@pytest.mark.parametrize(
    ('name', 'strides', 'has_readout'),
    [
        ('vit_tiny_patch16_224', (16, 16, 16, 16), True),
        ('vit_small_patch16_dinov3_qkvb', (16, 16, 16, 16), True),
        ('vit_medium_patch16_reg4_gap_256', (16, 16, 16, 16), False),  # registers alone
        ('deit_tiny_distilled_patch16_224', (16, 16, 16, 16), True),
        ('pvt_v2_b0', (4, 8, 16, 32), False),
        ('nextvit_small', (4, 8, 16, 32), False),
        ('resnet18', (4, 8, 16, 32), False),  # without the map of stride 2
    ],
)
def test_taps_are_those_of_the_family(name, strides, has_readout):
    with torch.device('meta'):
        model = TimmDPTBackbone(name).eval()
        taps = model(torch.zeros(1, 3, 96, 160))
    assert [tuple(feature.shape[2:]) for feature, _ in taps] == [
        (-(-96 // stride), 160 // stride) for stride in strides
    ]
    channels = model.head_cfg['embed_dims']
    assert tuple(feature.shape[1] for feature, _ in taps) == channels
    assert [readout is not None for _, readout in taps] == [has_readout] * 4
    is_plain = len(set(strides)) == 1
    assert model.head_cfg['readout_type'] == ('project' if has_readout else 'ignore')
    assert model.head_cfg.get('reassemble_scales') == (None if is_plain else (1, 1, 1, 1))
    assert model.head_cfg['reassemble_channels'] == (
        tuple(channels[0] // part for part in (8, 4, 2, 1)) if is_plain else (None,) * 4
    )


def test_blocks_are_tapped_at_equal_distances_and_none_is_built_after_the_last():
    with torch.device('meta'):
        assert TimmDPTBackbone('vit_tiny_patch16_224').out_indices == [2, 5, 8, 11]
        assert TimmDPTBackbone('vit_7b_patch16_dinov3').out_indices == [9, 19, 29, 39]
    model = build('vit', out_indices=(0, 1))
    names = {name.partition('timm_model.')[2] for name, _ in model.named_parameters()}
    assert {name.split('.')[1] for name in names if name.startswith('blocks.')} == {'0', '1'}
    assert not [name for name in names if name.startswith(('norm', 'head', 'fc_norm'))]


def test_the_model_normalises_as_the_published_weights_were_trained():
    """timm's ViT-Ti: 0.5; a config that gives mean and std keeps its own."""
    model, _ = build_joint('vit')
    image = torch.zeros(3, *SIZE)
    assert model.data_preprocessor(dict(inputs=[image]))['inputs'].unique() == -1
    model, _ = build_joint('vit', mean=[-1.0] * 3, std=[2.0] * 3)
    assert model.data_preprocessor(dict(inputs=[image]))['inputs'].unique() == 0.5


@pytest.mark.parametrize('kind', WITH_ATTENTION)
def test_lora_starts_from_the_plain_model_and_trains_its_updates_alone(kind):
    plain, adapted = build(kind), build(kind, seed=1, lora=dict(rank=2))
    missing = adapted.load_state_dict(plain.state_dict(), strict=False)
    assert missing.unexpected_keys == [] and has_updates(missing.missing_keys)
    image = torch.randn(1, 3, *SIZE)
    torch.testing.assert_close(adapted.eval()(image), plain.eval()(image))
    for name, parameter in adapted.named_parameters():
        if name.endswith('lora_up'):
            torch.nn.init.normal_(parameter)
        elif parameter.ndim == 1:  # layer scales near zero
            torch.nn.init.ones_(parameter)
    taps = adapted.train()(image)
    sum(feature.square().sum() for feature, _ in taps).backward()
    for name, parameter in adapted.named_parameters():
        moves = parameter.grad is not None and parameter.grad.abs().max() > 0
        assert bool(moves) is ('.lora_' in name), name


def test_lora_adapts_query_and_value_that_stand_apart():
    for name, layers in (
        ('pvt_v2_b0', {'q', 'kv', 'proj'}),
        ('eva02_base_patch14_224', {'q_proj', 'k_proj', 'v_proj', 'proj'}),
    ):
        with torch.device('meta'):
            model = TimmDPTBackbone(name, lora=dict(rank=2))
        trained = [name for name, p in model.named_parameters() if p.requires_grad]
        assert {name.split('.')[-2] for name in trained} == layers
        assert has_updates(trained) and all('.lora_' in name for name in trained)


def test_frozen_blocks_stay_and_the_others_train():
    model = build('dinov3', frozen_stages=2, drop_path_rate=0.5).train()
    frozen = ('cls_token', 'reg_token', 'patch_embed', 'blocks.0.', 'blocks.1.')
    for name, parameter in model.timm_model.named_parameters():
        assert parameter.requires_grad is not name.startswith(frozen), name
    blocks = model.timm_model.blocks
    assert [block.training for block in blocks] == [False, False, True, True]
    everything = build('convnext', frozen_stages=4, norm_taps=True).train()
    assert not any(p.requires_grad for p in everything.parameters())
    assert not everything.timm_model.training


def test_depths_of_layer_wise_decay():
    """The embeddings, each block, then norm and heads."""
    model = build('dinov3', norm_taps=True)
    depths = {'patch_embed.proj.weight': 0, 'reg_token': 0, 'cls_token': 0}
    depths |= {'blocks.0.attn.qkv.weight': 1, 'blocks.3.gamma_2': 4, 'norm.weight': 5}
    for name, depth in depths.items():
        assert model.get_layer_depth(f'backbone.timm_model.{name}', 'backbone.') == (depth, 6)
    assert model.get_layer_depth('decode_head.conv_seg.weight', 'backbone.') == (5, 6)
    convnext = build('convnext')  # of five blocks
    assert convnext.get_layer_depth('timm_model.stem.0.weight') == (0, 7)
    assert convnext.get_layer_depth('timm_model.stages.3.blocks.0.gamma') == (5, 7)


def test_recomputing_blocks_leaves_the_gradients():
    gradients = []
    for with_cp in (False, True):
        model = build('vit', with_cp=with_cp).train()
        torch.manual_seed(1)
        sum(feature.square().sum() for feature, _ in model(torch.randn(1, 3, *SIZE))).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ('settings', 'error', 'message'),
    [
        (dict(model_name='convnext_tinny'), InputError, "no model 'convnext_tinny'.*convnext_tiny"),
        (dict(model_args=dict(wings=2)), InputError, 'cannot build vit_tiny_patch16_224.*wings'),
        (dict(out_indices=(2, 1)), ValueError, r'increasing numbers in 0\.\.11, got \[2, 1\]'),
        (dict(out_indices=(2, 12)), ValueError, r'increasing numbers in 0\.\.11'),
        (dict(frozen_stages=13), ValueError, r'frozen_stages must lie in -1\.\.12.*got 13'),
        (dict(frozen_stages=2, lora=dict(rank=2)), ValueError, 'leave out frozen_stages=2'),
        (dict(model_name='convnext_atto', lora=dict(rank=2)), ValueError, 'has no such layer'),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, error, message):
    with torch.device('meta'), pytest.raises(error, match=message):
        TimmDPTBackbone(**{'model_name': 'vit_tiny_patch16_224', **settings})


def test_models_of_one_size_or_whose_maps_do_not_cover_the_image_are_refused():
    model = TimmDPTBackbone('levit_128s').eval()
    assert len(model(torch.zeros(1, 3, 224, 224))) == 3
    message = r'levit_128s .*\(64, 128\) px, only of its own \(224, 224\)'
    with pytest.raises(InputError, match=message):
        model(torch.zeros(1, 3, 50, 70))
    # Inception convolves without padding
    model = TimmDPTBackbone('inception_v3').eval()
    with pytest.raises(InputError, match=r'inception_v3 .*\(20, 28\), not the stride 4 '):
        model(torch.zeros(1, 3, 70, 97))


def test_a_head_of_other_widths_is_refused_and_without_timm_the_extra_named(monkeypatch):
    cfg = load_config('dpt_vit-b16_ade20k')
    cfg.model.backbone = dict(type='TimmDPTBackbone', model_name='convnext_atto')
    init_default_scope(cfg.default_scope)
    with torch.device('meta'), pytest.raises(ValueError, match=r'embed_dims are 768, .*\(40, 80'):
        MODELS.build(cfg.model)
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(InputError, match=r"pip install 'mmdpt\[timm\]'"):
        TimmDPTBackbone('vit_tiny_patch16_224')
