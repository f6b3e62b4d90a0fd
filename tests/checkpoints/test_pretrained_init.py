"""Initial weights: loaded, or an error that says what to do."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

from mmdpt.checkpoints import to_foreign
from mmdpt.checkpoints.pretrained_init import PretrainedInit
from mmdpt.errors import InputError
from mmdpt.models import DepthDPTHead, VisionTransformerDPT

ARCH = dict(embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48)


def build(**arch):
    return VisionTransformerDPT({**ARCH, **arch}, img_size=64, out_indices=(0, 1, 2, 3))


def save(path, model, prefix='backbone.'):
    weights = {prefix + key: value for key, value in model.state_dict().items()}
    torch.save({'state_dict': {**weights, 'head.fc.weight': torch.zeros(3, 3)}}, path)
    return str(path)


def test_weights_below_the_prefix_are_loaded(tmp_path):
    source, model = build(), build()
    PretrainedInit(save(tmp_path / 'vit.pth', source), prefix='backbone.')(model)
    for key, value in source.state_dict().items():
        torch.testing.assert_close(model.state_dict()[key], value, rtol=0, atol=0)


def test_deeper_file_fills_a_model_that_ends_at_the_last_tap(tmp_path):
    source = VisionTransformerDPT(
        {**ARCH, 'num_layers': 6}, img_size=64, out_indices=(0, 1, 2, 5), norm_taps=True
    )
    model = build()
    PretrainedInit(save(tmp_path / 'vit.pth', source), prefix='backbone.')(model)
    torch.testing.assert_close(model.layers[3].ln1.weight, source.layers[3].ln1.weight)


def test_missing_file_says_how_to_go_on(tmp_path):
    with pytest.raises(InputError, match=r'gone\.pth.*init_cfg\.checkpoint=PATH.*init_cfg=None'):
        PretrainedInit(str(tmp_path / 'gone.pth'))(build())


def test_unreachable_address_says_how_to_go_on(monkeypatch, tmp_path):
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path))
    address = 'https://127.0.0.1:9/vit.pth'
    message = r'127\.0\.0\.1:9/vit\.pth.*cannot download.*init_cfg\.checkpoint=PATH'
    with pytest.raises(InputError, match=message):
        PretrainedInit(address)(build())


def test_other_width_is_refused_with_its_keys(tmp_path):
    path = save(tmp_path / 'wide.pth', build(embed_dims=48, feedforward_channels=96))
    with pytest.raises(InputError, match=r'cls_token: checkpoint \(1, 1, 48\), model \(1, 1, 24\)'):
        PretrainedInit(path, prefix='backbone.')(build())


def test_file_of_another_layout_is_refused(tmp_path):
    path = save(tmp_path / 'other.pth', build(), prefix='encoder.')
    with pytest.raises(InputError, match='missing'):
        PretrainedInit(path, prefix='backbone.')(build())


def test_the_encoder_of_timm_is_loaded(tmp_path):
    """Under any prefix: the configs name that of mmpretrain. jx_vit_* files hold pre_logits."""
    source = TimmViT(img_size=64, embed_dim=24, depth=5, num_heads=2, mlp_ratio=2)
    older = {'pre_logits.fc.weight': torch.zeros(24, 24)}
    torch.save(source.state_dict() | older, tmp_path / 'timm.pth')
    for prefix in (None, 'backbone.'):
        model = build()
        PretrainedInit(str(tmp_path / 'timm.pth'), prefix)(model)
        for n in range(4):
            ours, theirs = model.layers[n].attn.qkv, source.blocks[n].attn.qkv
            assert torch.equal(ours.weight, theirs.weight)
        assert torch.equal(model.cls_token, source.cls_token)


def test_the_encoder_of_a_released_model_is_loaded(tmp_path):
    source = build()
    head = DepthDPTHead(embed_dims=24, reassemble_channels=(8, 8, 8, 8), channels=8)
    whole = torch.nn.ModuleDict(dict(backbone=source, decode_head=head))
    torch.save(to_foreign(whole.state_dict(), 'isl-org')[0], tmp_path / 'dpt.pt')
    model = build()
    PretrainedInit(str(tmp_path / 'dpt.pt'))(model)
    for key, value in source.state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key
