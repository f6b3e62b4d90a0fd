"""Files for timm's encoders: DINOv3's own, timm's, and those that timm converts."""

import pytest
import timm
import tiny
import torch
from mmengine.registry import init_default_scope

from mmdpt.checkpoints import to_ours
from mmdpt.checkpoints.pretrained_init import PretrainedInit
from mmdpt.errors import InputError
from mmdpt.models import TimmDPTBackbone

DIMS = 24


def build(kind, seed=0, **settings):
    name, args = tiny.TIMM[kind]
    torch.manual_seed(seed)
    return TimmDPTBackbone(name, model_args={**args, **settings.pop('args', {})}, **settings)


def own_file(gated):
    """DINOv3's names and shapes (dinov3/models/vision_transformer.py), as a training leaves them.

    The 7B has the tensors of the local crops, too.
    """
    torch.manual_seed(0)
    shapes = dict(
        cls_token=(1, 1, DIMS),
        storage_tokens=(1, 4, DIMS),
        mask_token=(1, DIMS),
    )
    linears = {'patch_embed.proj': (DIMS, 3, 16, 16)}
    norms = ['norm', 'local_cls_norm']
    for block in (f'blocks.{number}' for number in range(4)):
        norms += [f'{block}.norm1', f'{block}.norm2']
        shapes |= {f'{block}.ls1.gamma': (DIMS,), f'{block}.ls2.gamma': (DIMS,)}
        linears |= {f'{block}.attn.qkv': (3 * DIMS, DIMS), f'{block}.attn.proj': (DIMS, DIMS)}
        wide, narrow = (4 * DIMS, DIMS), (DIMS, 4 * DIMS)
        names = dict(w1=wide, w2=wide, w3=narrow) if gated else dict(fc1=wide, fc2=narrow)
        linears |= {f'{block}.mlp.{name}': shape for name, shape in names.items()}
    shapes |= {f'{name}.weight': shape for name, shape in linears.items()}
    shapes |= {f'{name}.bias': shape[:1] for name, shape in linears.items()}
    shapes |= {f'{name}.{leaf}': (DIMS,) for name in norms for leaf in ('weight', 'bias')}
    weights = {name: torch.randn(shape) for name, shape in shapes.items()}
    mask = torch.tensor([1.0, 0.0, 1.0]).repeat_interleave(DIMS)
    masks = {f'blocks.{number}.attn.qkv.bias_mask': mask for number in range(4)}
    return {**weights, **masks, 'rope_embed.periods': torch.rand(3)}


def assert_holds(model, expected):
    own = model.state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(own[f'timm_model.{name}'], value, rtol=0, atol=0, msg=name)
    assert len(own) == len(expected)


@pytest.mark.parametrize('kind', ['dinov3', 'dinov3-gated'])
def test_its_own_file_fills_the_encoder_as_timm_fills_it(kind, tmp_path):
    """timm's conversion is another's reading of the same names."""
    weights = own_file(gated=kind == 'dinov3-gated')
    converted, report = to_ours(weights)
    assert (report.source, report.task) == ('dinov3', 'backbone')
    assert list(report.dropped) == ['mask_token']
    model = build(kind, norm_taps=True)
    expected = timm.models.eva.checkpoint_filter_fn(weights, model.timm_model)
    assert {k.removeprefix('backbone.timm_model.') for k in converted} == set(expected)
    for name, content in (('own', weights), ('converted', converted)):
        torch.save(content, tmp_path / f'{name}.pth')
        model = build(kind, norm_taps=True)
        PretrainedInit(str(tmp_path / f'{name}.pth'))(model)
        assert_holds(model, expected)


def test_biases_that_the_model_lacks_are_no_zeros(tmp_path):
    weights = own_file(gated=False)
    name = 'vit_small_patch16_dinov3'
    settings = dict(model_args=tiny.TIMM['dinov3'][1], norm_taps=True)
    torch.save(weights, tmp_path / 'own.pth')
    with pytest.raises(InputError, match=r'blocks\.0\.attn\.q_bias is not zero.*ends in _qkvb'):
        PretrainedInit(str(tmp_path / 'own.pth'))(TimmDPTBackbone(name, **settings))
    for key, value in weights.items():
        if key.endswith('attn.qkv.bias'):
            value[:DIMS] = value[2 * DIMS :] = 0
    torch.save(weights, tmp_path / 'zero.pth')
    model = TimmDPTBackbone(name, **settings)
    PretrainedInit(str(tmp_path / 'zero.pth'))(model)
    torch.testing.assert_close(
        model.timm_model.blocks[3].attn.qkv.weight, weights['blocks.3.attn.qkv.weight']
    )


@pytest.mark.parametrize('kind', ['vit', 'beit', 'convnext', 'swinv2'])
def test_a_file_of_timm_is_loaded_as_timm_loads_it(kind, tmp_path):
    """Into a model of another image size, whose position embedding or biases are resized."""
    name, args = tiny.TIMM[kind]
    source = tiny.draw_weights(timm.create_model(name, **args))
    torch.save(source.state_dict(), tmp_path / 'timm.pth')
    size = dict(img_size=96) if 'img_size' in args else {}
    model = build(kind, args=size)
    PretrainedInit(str(tmp_path / 'timm.pth'))(model)
    expected = timm.create_model(
        name,
        pretrained=True,
        pretrained_cfg_overlay=dict(file=str(tmp_path / 'timm.pth'), num_classes=1000),
        **{**args, **size},
    ).state_dict()
    own = model.state_dict()
    assert_holds(model, {k: v for k, v in expected.items() if f'timm_model.{k}' in own})


def test_a_checkpoint_of_ours_gives_its_encoder(tmp_path):
    trained = tiny.draw_weights(build('eva02'))
    weights = {f'backbone.{key}': value for key, value in trained.state_dict().items()}
    torch.save(dict(state_dict={**weights, 'decode_head.x': torch.zeros(1)}), tmp_path / 'ours.pth')
    model = build('eva02', seed=1)
    PretrainedInit(str(tmp_path / 'ours.pth'), prefix='backbone.')(model)
    tiny.assert_same(model, trained)


def test_offline_the_models_own_weights_say_how_to_go_on(monkeypatch, tmp_path):
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    init_default_scope('mmdpt')
    name, args = tiny.TIMM['convnext']
    init_cfg = dict(type='Pretrained', checkpoint='timm://')
    model = TimmDPTBackbone(name, model_args=args, init_cfg=init_cfg)
    message = r'timm://convnext_atto .*cannot download .*init_cfg\.checkpoint=PATH'
    with pytest.raises(InputError, match=message):
        model.init_weights()
