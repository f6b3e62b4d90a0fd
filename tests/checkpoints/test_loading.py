"""Weights go into a model: initial ones, those of a training, and of host components."""

import re
import threading

import pytest
import tiny
import torch
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from timm.models.vision_transformer import VisionTransformer as TimmViT
from torch import nn

import mmdpt.apis
import mmdpt.training  # noqa: F401  what is imported changes nothing
from mmdpt.checkpoints import compare, load_weights, to_foreign
from mmdpt.checkpoints.pretrained_init import PretrainedInit
from mmdpt.checkpoints.reading import reader
from mmdpt.checkpoints.reading.mmengine_loader import reading_safely
from mmdpt.checkpoints.reading.zoos import zoo_address
from mmdpt.errors import InputError
from mmdpt.models import DepthDPTHead, VisionTransformerDPT


def build(**arch):
    return VisionTransformerDPT({**tiny.LAYERS, **arch}, img_size=64, out_indices=(0, 1, 2, 3))


def save(path, model, prefix='backbone.'):
    weights = {prefix + key: value for key, value in model.state_dict().items()}
    torch.save({'state_dict': {**weights, 'head.fc.weight': torch.zeros(3, 3)}}, path)
    return str(path)


@pytest.mark.parametrize('released', [False, True])
def test_weights_below_the_prefix_or_the_encoder_of_a_released_model_are_loaded(tmp_path, released):
    source, model = build(), build()
    path = save(tmp_path / 'vit.pth', source)
    if released:
        head = DepthDPTHead(embed_dims=24, reassemble_channels=(8, 8, 8, 8), channels=8)
        whole = nn.ModuleDict(dict(backbone=source, decode_head=head))
        torch.save(to_foreign(whole.state_dict(), 'isl-org')[0], path)
    PretrainedInit(path, prefix='backbone.')(model)
    tiny.assert_same(model, source)


def test_deeper_file_fills_a_model_that_ends_at_the_last_tap(tmp_path):
    arch = tiny.LAYERS | dict(num_layers=6)
    source = VisionTransformerDPT(arch, img_size=64, out_indices=(0, 1, 2, 5), norm_taps=True)
    model = build()
    PretrainedInit(save(tmp_path / 'vit.pth', source), prefix='backbone.')(model)
    torch.testing.assert_close(model.layers[3].ln1.weight, source.layers[3].ln1.weight)


@pytest.mark.parametrize(
    ('place', 'message'),
    [
        ('gone.pth', r'gone\.pth'),
        ('https://127.0.0.1:9/vit.pth', r'127\.0\.0\.1:9/vit\.pth.*cannot download'),
    ],
)
def test_a_missing_file_and_an_unreachable_address_say_how_to_go_on(
    monkeypatch, tmp_path, place, message
):
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path))
    with pytest.raises(InputError, match=rf'{message}.*init_cfg\.checkpoint=PATH.*init_cfg=None'):
        PretrainedInit(place)(build())


def test_other_width_and_another_layout_are_refused(tmp_path):
    path = save(tmp_path / 'wide.pth', build(embed_dims=48, feedforward_channels=96))
    with pytest.raises(InputError, match=r'cls_token: checkpoint \(1, 1, 48\), model \(1, 1, 24\)'):
        PretrainedInit(path, prefix='backbone.')(build())
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


def test_each_kind_of_mismatch_is_named():
    model = nn.ModuleDict(dict(a=nn.Linear(2, 3), norm=nn.BatchNorm2d(4)))
    weights = model.state_dict()
    weights.pop('a.bias')
    weights.pop('norm.num_batches_tracked')
    weights['norm.weight'] = torch.zeros(5)
    weights['extra'] = torch.zeros(1)
    mismatch = compare(model, weights)
    assert mismatch.missing == ['a.bias']
    assert mismatch.unexpected == ['extra']
    assert mismatch.reshaped == ['norm.weight: checkpoint (5,), model (4,)']
    assert not mismatch.fills
    assert mismatch.fills_most
    assert '1 missing (a.bias)' in str(mismatch)


def test_own_weights_match_and_long_lists_are_cut():
    model = nn.Linear(2, 3)
    assert compare(model, model.state_dict()).fills
    assert str(compare(model, model.state_dict())) == 'of 2 keys of the model: all match'
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(10)))
    assert str(compare(model, {})).endswith('and 12 more)')
    assert not compare(model, {}).fills_most


def test_position_embedding_may_differ_in_length_and_not_in_width():
    class Encoder(nn.Module):
        def __init__(self, length, width):
            super().__init__()
            self.pos_embed = nn.Parameter(torch.zeros(1, length, width))

    assert compare(Encoder(5, 4), Encoder(10, 4).state_dict()).fills
    mismatch = compare(Encoder(5, 4), Encoder(5, 6).state_dict())
    assert mismatch.reshaped == ['pos_embed: checkpoint (1, 5, 6), model (1, 5, 4)']


def model(classes=3):
    return nn.ModuleDict(dict(backbone=nn.Linear(4, 4), head=nn.Linear(4, classes)))


@pytest.mark.parametrize(
    ('fit', 'refused'),
    [
        ('exactly', ['other classes', 'one key more', 'another network']),
        ('whole', ['other classes', 'another network']),
        ('part', ['other classes', 'another network']),
        ('start', ['another network']),
    ],
)
def test_what_does_not_fit_is_refused(fit, refused):
    """A test and a resumed training need every weight, a new training may have other classes."""
    files = {
        'own': model().state_dict(),
        'one key more': model().state_dict() | dict(more=torch.zeros(1)),
        'other classes': model(5).state_dict(),
        'another network': {'conv.weight': torch.zeros(1)},
    }
    for name, state in files.items():
        if name in refused:
            message = r'a\.pth does not fit the model \(ModuleDict\): .*(shape|missing|unexpected)'
            with pytest.raises(InputError, match=message):
                load_weights(model(), state, 'a.pth', fit)
        else:
            load_weights(model(), state, 'a.pth', fit)


def test_what_has_another_shape_is_left_as_it_was():
    own, loaded = model(), model(5)
    before = own['head'].weight.clone()
    mismatch = load_weights(own, loaded.state_dict(), 'a.pth', 'start')
    assert len(mismatch.reshaped) == 2
    assert torch.equal(own['backbone'].weight, loaded['backbone'].weight)
    assert torch.equal(own['head'].weight, before)


def is_mmengines():
    return CheckpointLoader.load_checkpoint.__module__ == mmengine_checkpoint.__name__


def test_mmengines_loader_is_ours_within_a_block_alone(tmp_path):
    torch.save(dict(model=dict(a=torch.ones(2)), epoch=3), tmp_path / 'a.pth')
    assert is_mmengines()
    with reading_safely():
        found = mmengine_checkpoint._load_checkpoint(str(tmp_path / 'a.pth'))
    assert found['state_dict']['a'].tolist() == [1, 1]
    assert is_mmengines()
    assert CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))['epoch'] == 3


def test_it_stays_ours_until_the_last_of_several_blocks_ends():
    """In other threads, too, and after an error."""
    entered, leave = threading.Event(), threading.Event()

    def other():
        with reading_safely():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with pytest.raises(KeyError), reading_safely():
        thread.start()
        entered.wait()
        raise KeyError
    assert not is_mmengines()
    leave.set()
    thread.join()
    assert is_mmengines()


TIMM = 'huggingface.co/timm'


@pytest.mark.parametrize(
    ('name', 'file'),
    [
        ('torchvision://resnet50', r'download\.pytorch\.org/models/resnet50-\w+\.pth'),
        ('open-mmlab://resnet50_v1c', r'.*resnet50_v1c-\w+\.pth'),
        ('mmcls://resnet50_v1d', r'.*resnetv1d50_\w+-\w+\.pth'),
        (
            'timm://vit_base_patch16_dinov3_qkvb.lvd1689m',
            rf'{TIMM}/vit_base_patch16_dinov3_qkvb\.lvd1689m/resolve/main/model\.safetensors',
        ),
        (
            'timm://convnext_base',
            rf'{TIMM}/convnext_base\.fb_in22k_ft_in1k/resolve/main/model\.safetensors',
        ),
    ],
)
def test_names_of_zoos_are_addresses(name, file):
    assert re.fullmatch(f'https://{file}', zoo_address(name))


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('mmcls://resnet49', "mmcls://resnet49: MMEngine knows no address of 'resnet49'"),
        ('timm://test_vit_relpos', "publishes no weights of 'test_vit_relpos'"),
        ('timm://nonsense', "publishes no weights of 'nonsense'"),
    ],
)
def test_a_name_of_no_zoo_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        zoo_address(name)


def test_of_a_classifier_the_backbone_is_read(tmp_path, monkeypatch):
    torch.save({'backbone.a': torch.ones(2), 'head.b': torch.ones(3)}, tmp_path / 'a.pth')
    monkeypatch.setattr(reader, 'download', lambda address: tmp_path / 'a.pth')
    assert list(reader.read_checkpoint('mmcls://resnet50_v1d').state_dict) == ['a']
